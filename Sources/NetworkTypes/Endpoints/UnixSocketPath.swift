/// The address of a Unix stream socket (unix(7)): the path of its file, or an abstract name, which is written with an
/// `@` in front and has no file.
public struct UnixSocketPath: Hashable, Sendable, CustomStringConvertible {
    /// `sun_path` holds 108 bytes with the closing zero of a path, or the zero in front of an abstract name.
    public static let maxLength = 107
    /// The text that stands in front of a path where an address could be one of another kind.
    public static let prefix = "unix:"

    /// The path as it was given, or the abstract name behind its `@`.
    public let path: String

    /// Fails for a path or name that is empty, too long, or holds a zero byte.
    public init?(_ path: String) {
        guard !path.isEmpty, path != "@", path.utf8.count <= Self.maxLength, !path.utf8.contains(0) else { return nil }
        self.path = path
    }

    /// Reads what ``description`` writes; nil where the text does not begin with `unix:`, or has no path behind it.
    public init?(prefixed text: some StringProtocol) {
        guard text.hasPrefix(Self.prefix) else { return nil }
        self.init(String(text.dropFirst(Self.prefix.count)))
    }

    /// The abstract name, without the `@`; nil for the path of a file.
    public var abstractName: Substring? { path.hasPrefix("@") ? path.dropFirst() : nil }

    /// `unix:/run/weir.sock` or `unix:@weir`.
    public var description: String { Self.prefix + path }
}
