/// A number that the user wrote, or `auto`: Weir chooses from what the machine has.
public enum AutomaticCount: Sendable, Hashable {
    /// `auto`.
    case automatic
    /// The number that was written.
    case fixed(Int)

    /// The number that was written, or nil for `auto`.
    public var value: Int? {
        switch self {
        case .automatic: nil
        case .fixed(let count): count
        }
    }
}

extension AutomaticCount: CustomStringConvertible {
    /// As written in a file.
    public var description: String {
        switch self {
        case .automatic: "auto"
        case .fixed(let count): "\(count)"
        }
    }
}
