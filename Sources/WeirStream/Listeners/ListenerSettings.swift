import NetworkTypes

/// The settings of a TCP listener: the options that accepted sockets inherit, and the PROXY headers and first bytes
/// that clients send before a route takes them over. A change applies to clients that are accepted from then on.
public struct ListenerSettings: Hashable, Sendable {
    /// The kernel's keepalive probes of the clients; nil is off.
    public var keepalive: Keepalive?
    /// `TCP_USER_TIMEOUT` of the clients; nil is the kernel's default.
    public var userTimeout: Duration?
    /// How long the kernel holds a connection until its first byte (`TCP_DEFER_ACCEPT`, whole seconds); nil is off.
    public var deferAccept: Duration?
    /// The connections that may send data before their handshake is complete (`TCP_FASTOPEN`, RFC 7413); nil is off.
    public var fastOpen: Int?
    /// Whether the address may be one that this machine does not have yet (`IP_FREEBIND`, ip(7)).
    public var isFreeBind: Bool
    /// The permission bits of the file of a Unix socket. A change applies at once.
    public var unixMode: UInt32
    /// The PROXY headers that clients begin with.
    public var proxyProtocol: ProxyProtocolSettings
    /// The time limit of a complete PROXY header, from the accept.
    public var proxyHeaderTimeout: Duration
    /// The time limit of the first bytes that choose a route of a table.
    public var helloTimeout: Duration = .seconds(5)
    /// The limit of undecided clients of a listener with a table; nil is a quarter of the process's limit of
    /// connections.
    public var maxUndecided: Int?

    /// The mark of the packets to the clients; nil is the kernel's default. A listener with a table has none: each of
    /// its routes has its own.
    var dscp: DSCP?

    /// Creates the settings of listeners that only this route has.
    init(ofOwnListeners settings: TCPSettings) {
        self.init(settings)
        dscp = settings.dscp
    }

    /// Creates the settings of a listener from those of a route. The default uses the default settings of a route.
    public init(_ settings: TCPSettings = TCPSettings()) {
        keepalive = settings.keepalive
        userTimeout = settings.userTimeout
        deferAccept = settings.deferAccept
        fastOpen = settings.fastOpen
        isFreeBind = settings.isFreeBind
        unixMode = settings.unixMode
        proxyProtocol = settings.proxyProtocol
        proxyHeaderTimeout = settings.proxyHeaderTimeout
    }
}
