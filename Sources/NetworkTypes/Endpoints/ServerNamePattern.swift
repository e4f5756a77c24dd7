/// A server name that a route claims: `git.example.net`, or `*.example.net` for all names below one, at every depth,
/// without that name itself.
public struct ServerNamePattern: Hashable, Sendable, CustomStringConvertible {
    /// Whether it claims the names below ``name`` instead of the name itself.
    public let isWildcard: Bool
    /// The name in lower case, without `*.`.
    package let name: [UInt8]

    /// Creates a pattern from its text; nil for a text that no server name of a hello can match: an IP address, a dot
    /// at the end, bytes that no host name has. Names in other scripts are given as clients send them, in ASCII
    /// (`xn--…`).
    public init?(_ text: String) {
        var bytes = Array(text.utf8)[...]
        isWildcard = bytes.starts(with: "*.".utf8)
        if isWildcard { bytes = bytes.dropFirst(2) }
        var scan = HostNameScan()
        var name: [UInt8] = []
        for byte in bytes {
            guard let lower = scan.next(byte) else { return nil }
            name.append(lower)
        }
        guard scan.isName else { return nil }
        self.name = name
    }

    /// The pattern as it is written, in lower case.
    public var description: String { (isWildcard ? "*." : "") + String(decoding: name, as: UTF8.self) }
}
