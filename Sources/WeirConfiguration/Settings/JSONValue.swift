/// A JSON value whose members keep their order (RFC 8259).
enum JSONValue: Sendable, Equatable {
    case object([Member])
    case array([JSONValue])
    case string(String)
    case integer(Int)
    case bool(Bool)

    /// A member of an object.
    struct Member: Sendable, Equatable {
        let name: String
        let value: JSONValue
    }

    static func members(_ members: [(String, JSONValue)]) -> JSONValue {
        .object(members.map { Member(name: $0.0, value: $0.1) })
    }

    /// The same object with more members behind the others.
    func adding(_ members: [(String, JSONValue)]) -> JSONValue {
        guard case .object(let own) = self else { return self }
        return .object(own + members.map { Member(name: $0.0, value: $0.1) })
    }

    /// The text, two spaces a level, with a newline at the end.
    var document: String {
        var text = ""
        write(to: &text, indentation: "")
        return text + "\n"
    }

    private func write(to text: inout String, indentation: String) {
        let inner = indentation + "  "
        switch self {
        case .object(let members) where !members.isEmpty:
            text += "{\n"
            for (index, member) in members.enumerated() {
                text += inner + Self.quoted(member.name) + ": "
                member.value.write(to: &text, indentation: inner)
                text += index + 1 < members.count ? ",\n" : "\n"
            }
            text += indentation + "}"
        case .object: text += "{}"
        case .array(let values):
            text += "["
            for (index, value) in values.enumerated() {
                value.write(to: &text, indentation: inner)
                if index + 1 < values.count { text += ", " }
            }
            text += "]"
        case .string(let string): text += Self.quoted(string)
        case .integer(let number): text += "\(number)"
        case .bool(let flag): text += "\(flag)"
        }
    }

    /// A text in double quotes, as JSON and YAML have it.
    static func quoted(_ string: String) -> String {
        var text = "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }
}
