/// The settings of a route's sessions. A change applies to new sessions.
public struct UDPSettings: Hashable, Sendable {
    /// Silence after which an unassured session ends: one whose client has not sent again after a reply.
    public var unassuredTimeout: Duration
    /// Silence after which an assured session ends.
    public var idleTimeout: Duration
    /// The bound on sessions at once.
    public var maxSessions: Int
    /// The number of replies to each datagram of a client, at least 1: a session ends when all have come, and drops
    /// what comes beyond them. nil is no bound.
    public var responses: Int?
    /// Whether datagrams are never cut into IP fragments, neither here nor, over IPv4, by a router (the DF bit). It
    /// holds for the listeners' sockets, and so for all replies from the change on, and for the upstream sockets of
    /// new sessions. Where it is false, replies may be cut, and towards the upstream the kernel discovers the path's
    /// MTU.
    public var dontFragment: Bool
    /// The bytes of replies for each byte of a client, until it has spoken again after a reply (RFC 9000 section 8.1);
    /// what is over is dropped. nil is no bound.
    public var amplification: Int?
    /// How long the pre-dial hook may take.
    public var preDialTimeout: Duration
    /// How long a new session may take to find an upstream: the look-ups of all names together.
    public var dialTimeout: Duration
    /// The look-up of one upstream's name. nil is a third of ``dialTimeout`` while other upstreams are left to try, and
    /// else the rest of it.
    public var attemptTimeout: Duration?
    /// The PROXY headers that datagrams have.
    public var proxyProtocol: ProxyProtocolSettings
    /// The datagrams to the upstream that get a PROXY header (version 2); nil is none.
    public var relayedHeader: DatagramHeaders?

    /// Whether listeners may be bound to an address that this machine does not have yet (`IP_FREEBIND`, ip(7)), and
    /// dials to one of ``dialFrom``.
    public var isFreeBind = false
    /// The addresses of this machine that dials come from; nil leaves them to the kernel. Upstream addresses of a
    /// family without one are not dialed.
    public var dialFrom: DialSource?
    /// The mark of all packets to clients and upstreams; nil is the kernel's default.
    public var dscp: DSCP?

    /// The settings, with the default of each that is left out.
    public init(
        unassuredTimeout: Duration = .seconds(30), idleTimeout: Duration = .seconds(300), maxSessions: Int = 16_384,
        responses: Int? = nil, dontFragment: Bool = false, amplification: Int? = nil,
        preDialTimeout: Duration = .seconds(5), dialTimeout: Duration = .seconds(5), attemptTimeout: Duration? = nil,
        proxyProtocol: ProxyProtocolSettings = ProxyProtocolSettings(), relayedHeader: DatagramHeaders? = nil
    ) {
        self.unassuredTimeout = unassuredTimeout
        self.idleTimeout = idleTimeout
        self.maxSessions = maxSessions
        self.responses = responses
        self.dontFragment = dontFragment
        self.amplification = amplification
        self.preDialTimeout = preDialTimeout
        self.dialTimeout = dialTimeout
        self.attemptTimeout = attemptTimeout
        self.proxyProtocol = proxyProtocol
        self.relayedHeader = relayedHeader
    }
}
