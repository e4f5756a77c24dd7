/// The limits of a stream's clients. Each part is off until it is set.
public struct ClientLimits: Hashable, Sendable {
    /// So many connections or sessions in a time.
    public struct Rate: Hashable, Sendable {
        /// How many may be opened in each ``period``.
        public var count: Int
        /// The time in which that many may be opened.
        public var period: Duration
        /// How many may be opened at once, after a silence.
        public var burst: Int

        /// A rate with a burst of its own, or of one period.
        public init(_ count: Int, per period: Duration = .seconds(1), burst: Int? = nil) {
            self.count = count
            self.period = period
            self.burst = burst ?? count
        }
    }

    /// Bytes a second, by direction; nil is no limit.
    public struct Bandwidth: Hashable, Sendable {
        /// From the client to the upstream.
        public var ingress: Int?
        /// From the upstream to the client.
        public var egress: Int?

        /// No limit, or these.
        public init(ingress: Int? = nil, egress: Int? = nil) {
            self.ingress = ingress
            self.egress = egress
        }
    }

    /// Connections and sessions that one client may have at once, 65,535 at most. A client is an IPv4 address, or the
    /// /64 of an IPv6 address.
    public var maxConnectionsPerClient: Int?
    /// How fast one client may open connections and sessions.
    public var rate: Rate?
    /// Bytes a second that all connections and sessions carry together. TCP waits; datagrams that come too fast are
    /// dropped.
    public var bandwidth = Bandwidth()
    /// Bytes a second of each connection or session.
    public var bandwidthPerConnection = Bandwidth()

    /// No limits, or these.
    public init(
        maxConnectionsPerClient: Int? = nil, rate: Rate? = nil, bandwidth: Bandwidth = Bandwidth(),
        bandwidthPerConnection: Bandwidth = Bandwidth()
    ) {
        self.maxConnectionsPerClient = maxConnectionsPerClient
        self.rate = rate
        self.bandwidth = bandwidth
        self.bandwidthPerConnection = bandwidthPerConnection
    }
}
