/// The path of a Unix stream socket (unix(7)): not empty, and short enough for the kernel.
public struct UnixSocketPath: Hashable, Sendable, CustomStringConvertible {
    /// `sun_path` holds 108 bytes with the closing zero.
    public static let maxLength = 107

    /// The path as it was given.
    public let path: String

    /// Fails for a path that is empty, too long, or holds a zero byte.
    public init?(_ path: String) {
        guard !path.isEmpty, path.utf8.count <= Self.maxLength, !path.utf8.contains(0) else { return nil }
        self.path = path
    }

    /// `unix:/run/weir.sock`.
    public var description: String { "unix:\(path)" }
}
