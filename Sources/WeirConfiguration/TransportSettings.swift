import NetworkTypes

/// TCP keepalive probes, which notice a peer that has vanished without a word.
public struct Keepalive: Sendable, Hashable {
    /// Silence before the first probe.
    public var idle: Duration
    /// Time between probes.
    public var interval: Duration
    /// Unanswered probes before the connection counts as dead.
    public var count: Int

    /// Makes the setting; defaults as documented.
    public init(idle: Duration = .seconds(60), interval: Duration = .seconds(10), count: Int = 6) {
        self.idle = idle
        self.interval = interval
        self.count = count
    }
}

/// What a TCP route can set.
public struct TCPSettings: Sendable, Hashable {
    /// The whole dial, names included.
    public var dialTimeout: Duration
    /// Silence in both directions that ends a connection; nil is off.
    public var idleTimeout: Duration?
    /// How long a half-closed connection may stay silent, from the last byte moved.
    public var halfCloseTimeout: Duration
    /// Probes on both sides; nil is off.
    public var keepalive: Keepalive?
    /// `TCP_USER_TIMEOUT` on both sides; nil is off.
    public var userTimeout: Duration?
    /// How long a `preDial` hook may think.
    public var preDialTimeout: Duration
    /// The most connections at once on this route; nil is no limit of its own.
    public var maxConnections: Int?
    /// `TCP_DEFER_ACCEPT`: for so long a client that sends nothing is not accepted; nil is off. Whole seconds.
    public var deferAccept: Duration?
    /// `TCP_FASTOPEN`: how many connections may be open before their handshake is over; nil is off.
    public var fastOpen: Int?
    /// Who begins with a PROXY header.
    public var proxyProtocol: ProxyProtocolSettings
    /// The PROXY header that the upstream gets; nil is none.
    public var relayedHeader: RelayedHeader?

    /// A form of the PROXY header.
    public enum RelayedHeader: String, Sendable, CaseIterable {
        /// A line of text.
        case v1
        /// Binary.
        case v2
    }

    /// Makes the settings; defaults as documented.
    public init(
        dialTimeout: Duration = .seconds(5), idleTimeout: Duration? = nil,
        halfCloseTimeout: Duration = .seconds(3600), keepalive: Keepalive? = Keepalive(),
        userTimeout: Duration? = nil, preDialTimeout: Duration = .seconds(5), maxConnections: Int? = nil,
        deferAccept: Duration? = nil, fastOpen: Int? = nil,
        proxyProtocol: ProxyProtocolSettings = ProxyProtocolSettings(), relayedHeader: RelayedHeader? = nil
    ) {
        self.dialTimeout = dialTimeout
        self.idleTimeout = idleTimeout
        self.halfCloseTimeout = halfCloseTimeout
        self.keepalive = keepalive
        self.userTimeout = userTimeout
        self.preDialTimeout = preDialTimeout
        self.maxConnections = maxConnections
        self.deferAccept = deferAccept
        self.fastOpen = fastOpen
        self.proxyProtocol = proxyProtocol
        self.relayedHeader = relayedHeader
    }
}

/// What a UDP route can set.
public struct UDPSettings: Sendable, Hashable {
    /// Silence that ends a session whose client has not spoken again after a reply.
    public var unassuredTimeout: Duration
    /// Silence that ends an assured session.
    public var idleTimeout: Duration
    /// The size of the session table.
    public var maxSessions: Int
    /// Replies after which a session ends; nil is no such end.
    public var responses: Int?
    /// How long a `preDial` hook, and the first look-up of a name, may take.
    public var preDialTimeout: Duration
    /// Who sends PROXY headers.
    public var proxyProtocol: ProxyProtocolSettings
    /// The datagrams that reach the upstream with a PROXY header; nil is none.
    public var relayedHeader: RelayedHeader?

    /// Which datagrams have a header.
    public enum RelayedHeader: String, Sendable, CaseIterable {
        /// The first one of a session.
        case first
        /// Every one.
        case each
    }

    /// Makes the settings; defaults as documented.
    public init(
        unassuredTimeout: Duration = .seconds(30), idleTimeout: Duration = .seconds(300),
        maxSessions: Int = 16_384, responses: Int? = nil, preDialTimeout: Duration = .seconds(5),
        proxyProtocol: ProxyProtocolSettings = ProxyProtocolSettings(), relayedHeader: RelayedHeader? = nil
    ) {
        self.unassuredTimeout = unassuredTimeout
        self.idleTimeout = idleTimeout
        self.maxSessions = maxSessions
        self.responses = responses
        self.preDialTimeout = preDialTimeout
        self.proxyProtocol = proxyProtocol
        self.relayedHeader = relayedHeader
    }
}

/// The settings that fit a route's transport.
public enum TransportSettings: Sendable, Hashable {
    /// Of a TCP route.
    case tcp(TCPSettings)
    /// Of a UDP route.
    case udp(UDPSettings)
}
