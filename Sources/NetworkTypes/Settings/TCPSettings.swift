/// The settings of a route's connections. A change applies to new connections.
public struct TCPSettings: Hashable, Sendable {
    /// All dials of one connection together, names included.
    public var dialTimeout: Duration
    /// The dial of one upstream, its name included. nil is a third of ``dialTimeout`` while other upstreams are left to
    /// try, and else the rest of it.
    public var attemptTimeout: Duration?
    /// Silence in both directions before a connection is ended; nil is never.
    public var idleTimeout: Duration?
    /// Silence after one direction has ended.
    public var halfCloseTimeout: Duration
    /// How long the pre-dial hook may take.
    public var preDialTimeout: Duration
    /// Kernel probes on both sides; nil is off.
    public var keepalive: Keepalive?
    /// `TCP_USER_TIMEOUT` on both sides (tcp(7)); nil is the kernel's default. It also disconnects live
    /// readers that pause.
    public var userTimeout: Duration?
    /// The bound on connections at once; nil is only the process's limit.
    public var maxConnections: Int?
    /// How long the kernel holds a connection until its first byte (`TCP_DEFER_ACCEPT`, whole seconds); nil is off. Not
    /// for protocols in which the server speaks first.
    public var deferAccept: Duration?
    /// The bound on connections with data before the end of their handshake (`TCP_FASTOPEN`, RFC 7413); nil is off. Not
    /// for protocols that a repeat of the client's first bytes would harm.
    public var fastOpen: Int?
    /// The PROXY headers that clients begin with.
    public var proxyProtocol: ProxyProtocolSettings
    /// How long a whole header may take to come.
    public var proxyHeaderTimeout: Duration
    /// How long the handshake with the client may take, where its side is encrypted.
    public var handshakeTimeout: Duration = .seconds(10)
    /// The PROXY header that upstreams get before the first byte; nil is none.
    public var relayedHeader: ProxyHeaderVersion?

    /// Whether listeners may be bound to an address that this machine does not have yet (`IP_FREEBIND`, ip(7)), and
    /// dials to one of ``dialFrom``.
    public var isFreeBind = false
    /// The permission bits of the files of listening Unix sockets.
    public var unixMode: UInt32 = 0o660
    /// The addresses of this machine that dials come from; nil leaves them to the kernel. Upstream addresses of a
    /// family without one are not dialed.
    public var dialFrom: DialSource?
    /// The mark of all packets to clients and upstreams; nil is the kernel's default.
    public var dscp: DSCP?

    /// The settings, with the default of each that is left out.
    public init(
        dialTimeout: Duration = .seconds(5), attemptTimeout: Duration? = nil, idleTimeout: Duration? = nil,
        halfCloseTimeout: Duration = .seconds(3600), keepalive: Keepalive? = Keepalive(), userTimeout: Duration? = nil,
        preDialTimeout: Duration = .seconds(5), maxConnections: Int? = nil, deferAccept: Duration? = nil,
        fastOpen: Int? = nil, proxyProtocol: ProxyProtocolSettings = ProxyProtocolSettings(),
        proxyHeaderTimeout: Duration = .seconds(5), relayedHeader: ProxyHeaderVersion? = nil
    ) {
        self.dialTimeout = dialTimeout
        self.attemptTimeout = attemptTimeout
        self.idleTimeout = idleTimeout
        self.halfCloseTimeout = halfCloseTimeout
        self.preDialTimeout = preDialTimeout
        self.keepalive = keepalive
        self.userTimeout = userTimeout
        self.maxConnections = maxConnections
        self.deferAccept = deferAccept
        self.fastOpen = fastOpen
        self.proxyProtocol = proxyProtocol
        self.proxyHeaderTimeout = proxyHeaderTimeout
        self.relayedHeader = relayedHeader
    }
}
