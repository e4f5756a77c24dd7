public import NetworkTypes

/// Who may read the exporter's pages. It can be changed while the exporter runs: see ``Exporter/update(_:)``.
public struct ExporterAccess: Sendable {
    /// A user with a password. The exporter takes every hash that libcrypt knows.
    public typealias User = PasswordUser

    /// Whether connections from the first address to the second, one of ours, are taken; nil takes all. Asked on the
    /// exporter's thread, once a connection. Those of Unix sockets are not asked about: their file has permissions.
    public var isAllowed: (@Sendable (_ peer: IPAddress, _ local: IPAddress) -> Bool)?
    /// Each of these opens every page (RFC 6750).
    public var tokens: [[UInt8]]
    /// Each of these, with the right password, does so too.
    public var users: [User]
    /// Host names that requests may be for, besides `localhost` and every IP address. Without any they are looked at only on
    /// loopback addresses; with some, on every address. Clients of Unix sockets may ask for any.
    public var hosts: [String] = []

    /// Everybody may read everything, unless told otherwise.
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
