/// Questions that the kernel asks a silent peer (tcp(7)).
public struct Keepalive: Hashable, Sendable {
    /// Silence before the first question.
    public var idle: Duration
    /// Time between questions.
    public var interval: Duration
    /// Questions without an answer before the connection is broken.
    public var count: Int

    /// The default breaks a connection after two minutes without an answer.
    public init(idle: Duration = .seconds(60), interval: Duration = .seconds(10), count: Int = 6) {
        self.idle = idle
        self.interval = interval
        self.count = count
    }
}

/// How a TCP stream treats its connections. A change applies to new ones.
public struct TCPSettings: Hashable, Sendable {
    /// All dials of one connection together, names included.
    public var dialTimeout: Duration = .seconds(5)
    /// The dial of one upstream, its name included. nil is a third of ``dialTimeout`` while there are other upstreams to
    /// try, and else what is left of it.
    public var attemptTimeout: Duration?
    /// Silence in both directions before a connection is ended; nil is never.
    public var idleTimeout: Duration?
    /// Silence after one direction has ended.
    public var halfCloseTimeout: Duration = .seconds(3600)
    /// How long the pre-dial hook may take.
    public var preDialTimeout: Duration = .seconds(5)
    /// Kernel probes on both sides; nil is off.
    public var keepalive: Keepalive? = Keepalive()
    /// `TCP_USER_TIMEOUT` on both sides; nil is the kernel's default. It also breaks a living reader that pauses.
    public var userTimeout: Duration?
    /// How many connections the stream may have at once; nil is only the process's limit.
    public var maxConnections: Int?
    /// For so long a client that sends nothing is not accepted (`TCP_DEFER_ACCEPT`, whole seconds); nil is off. Not for
    /// protocols in which the server speaks first.
    public var deferAccept: Duration?
    /// How many connections may bring data before their handshake is over (`TCP_FASTOPEN`, RFC 7413); nil is off. Not for
    /// protocols in which it matters when a client's first bytes come twice.
    public var fastOpen: Int?
    /// Who must begin with a PROXY header; ``StreamHooks/isTrustedProxy`` says whom to trust.
    public var proxyProtocol = ProxyProtocolMode.disabled
    /// How long a whole header may take to come.
    public var proxyHeaderTimeout: Duration = .seconds(5)
    /// The PROXY header that upstreams get before the first byte; nil is none.
    public var relayedHeader: ProxyHeader.Version?

    /// The defaults.
    public init() {}
}

/// How a UDP stream treats its sessions. A change applies to new ones.
public struct UDPSettings: Hashable, Sendable {
    /// Silence after which a session ends whose client has not spoken again after a reply.
    public var unassuredTimeout: Duration = .seconds(30)
    /// Silence after which an assured session ends.
    public var idleTimeout: Duration = .seconds(300)
    /// How many sessions the stream may have at once.
    public var maxSessions = 16_384
    /// End a session after this many replies; nil is never.
    public var responses: Int?
    /// How long the pre-dial hook may take.
    public var preDialTimeout: Duration = .seconds(5)
    /// How long a session may look for an upstream to begin with: the look-ups of all names together.
    public var dialTimeout: Duration = .seconds(5)
    /// The look-up of one upstream's name. nil is a third of ``dialTimeout`` while there are other upstreams to try, and
    /// else what is left of it.
    public var attemptTimeout: Duration?
    /// Who must send PROXY headers; ``StreamHooks/isTrustedProxy`` says whom to trust.
    public var proxyProtocol = ProxyProtocolMode.disabled
    /// Which datagrams of a trusted peer have a header.
    public var expectedHeaders = DatagramHeaders.first
    /// Which datagrams to the upstream get a PROXY header (version 2); nil is none.
    public var relayedHeader: DatagramHeaders?

    /// The defaults.
    public init() {}
}
