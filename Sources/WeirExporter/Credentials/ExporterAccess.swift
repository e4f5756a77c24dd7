public import NetworkTypes

/// The rules for readers of the exporter's pages. They can be changed while the exporter runs: see
/// ``Exporter/update(_:)``.
public struct ExporterAccess: Sendable {
    /// A user with a password. The exporter takes every hash that libcrypt knows.
    public typealias User = PasswordUser

    /// Whether connections from the first address to the second, one of ours, are taken; nil takes all. Called on the
    /// exporter's thread, once a connection, but not for Unix sockets: their file has permissions.
    public var isAllowed: (@Sendable (_ peer: IPAddress, _ local: IPAddress) -> Bool)?
    /// Each of these opens every page (RFC 6750).
    public var tokens: [[UInt8]]
    /// Each of these, with the right password, opens every page, too.
    public var users: [User]
    /// Host names that requests may be for, besides `localhost` and every IP address. If empty, hosts are checked on
    /// loopback addresses only; otherwise on every address. Clients of Unix sockets may name any host.
    public var hosts: [String] = []

    /// Creates rules; by default every client may read every page.
    public init(
        isAllowed: (@Sendable (_ peer: IPAddress, _ local: IPAddress) -> Bool)? = nil, tokens: [[UInt8]] = [],
        users: [User] = []
    ) {
        self.isAllowed = isAllowed
        self.tokens = tokens
        self.users = users
    }

    /// Whether a page needs a token, or a name and a password.
    var needsCredentials: Bool { !tokens.isEmpty || !users.isEmpty }
}
