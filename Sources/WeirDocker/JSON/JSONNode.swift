/// A value of JSON (RFC 8259). Numbers stay text, because the engine's are ports, times and counts of other sizes.
package enum JSONNode: Sendable, Equatable {
    /// `null`.
    case null
    /// `true` or `false`.
    case flag(Bool)
    /// A number, as it is written.
    case number(String)
    /// Text.
    case text(String)
    /// A list.
    case list([JSONNode])
    /// Names with values, in their order.
    case object([Member])

    /// A name with its value.
    package struct Member: Sendable, Equatable {
        /// The name.
        package let name: String
        /// The value.
        package let value: JSONNode
    }

    /// The value of a name, the last where it comes twice; nil where this is no object that has it.
    package subscript(name: String) -> JSONNode? { members.last { $0.name == name }?.value }

    /// The text; nil for anything else.
    package var text: String? { if case .text(let text) = self { text } else { nil } }

    /// The whole number; nil for anything else.
    package var integer: Int? { if case .number(let text) = self { Int(text) } else { nil } }

    /// The items of a list; none for anything else, as engines write `null` for an empty one.
    package var items: [JSONNode] { if case .list(let items) = self { items } else { [] } }

    /// The members of an object; none for anything else.
    package var members: [Member] { if case .object(let members) = self { members } else { [] } }

    /// The number of a port, in digits or as text.
    package var port: UInt16? {
        switch self {
        case .number(let text), .text(let text): UInt16(text)
        case .null, .flag, .list, .object: nil
        }
    }
}
