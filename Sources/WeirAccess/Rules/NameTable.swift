import NetworkTypes

/// The rules of a list about the names in certificates. Immutable.
struct NameTable: Sendable {
    private static let dot = UInt8(ascii: ".")

    /// By the name, and by the name that all others are below.
    private let exact: [[UInt8]: UInt32]
    private let below: [[UInt8]: UInt32]

    /// Orders rules by their numbers in the list. Of two about the same the first one is kept.
    init(_ rules: [(pattern: ServerNamePattern, value: UInt32)]) {
        var (exact, below): ([[UInt8]: UInt32], [[UInt8]: UInt32]) = ([:], [:])
        for (pattern, value) in rules {
            if pattern.isWildcard {
                if below[pattern.name] == nil { below[pattern.name] = value }
            } else if exact[pattern.name] == nil {
                exact[pattern.name] = value
            }
        }
        self.exact = exact
        self.below = below
    }

    var isEmpty: Bool { exact.isEmpty && below.isEmpty }

    /// The rule that matches one of these names, which are in lower case: of several the one of the name itself, else
    /// that of the longest name above one.
    func value(of names: [String]) -> UInt32? {
        if isEmpty { return nil }
        var found: UInt32?
        var length = 0
        for name in names {
            let bytes = Array(name.utf8)
            if let value = exact[bytes] { return value }
            if below.isEmpty { continue }
            for index in bytes.indices where bytes[index] == Self.dot && index > 0 && bytes.count - index > length {
                guard let value = below[Array(bytes[(index + 1)...])] else { continue }
                (found, length) = (value, bytes.count - index)
                break
            }
        }
        return found
    }
}
