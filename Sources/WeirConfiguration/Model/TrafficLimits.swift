/// So many new connections or sessions in a time, for each client network: an IPv4 address, or the /64 of an IPv6 one.
public struct RateLimit: Sendable, Hashable {
    /// How many.
    public var count: Int
    /// In which time: a second, a minute or an hour.
    public var period: Duration
    /// How many at once, after a rest.
    public var burst: Int

    /// Makes a limit; without a burst that of one period.
    public init(count: Int, period: Duration = .seconds(1), burst: Int? = nil) {
        self.count = count
        self.period = period
        self.burst = burst ?? count
    }
}

extension RateLimit {
    /// So many in a time, without what may come at once.
    struct Rate: Sendable, Equatable {
        var count: Int
        var period: Duration

        /// `10/s`.
        var text: String {
            let units: [Duration: String] = [.seconds(1): "s", .seconds(60): "m", .seconds(3600): "h"]
            return "\(count)/\(units[period] ?? durationText(period))"
        }
    }

    /// Another rate brings its own burst with it.
    var rate: Rate {
        get { Rate(count: count, period: period) }
        set { self = RateLimit(count: newValue.count, period: newValue.period) }
    }
}

/// Bytes a second for each direction; nil is no limit.
public struct ByteRates: Sendable, Hashable {
    /// From clients to the upstream.
    public var ingress: Int?
    /// From the upstream to clients.
    public var egress: Int?

    /// Makes the rates.
    public init(ingress: Int? = nil, egress: Int? = nil) {
        self.ingress = ingress
        self.egress = egress
    }

    /// Whether neither direction is limited.
    public var isEmpty: Bool { ingress == nil && egress == nil }
}

/// `bandwidth:`, in bytes a second.
public struct Bandwidth: Sendable, Hashable {
    /// All connections and sessions together.
    public var total: ByteRates
    /// Each connection or session by itself.
    public var perConnection: ByteRates

    /// Makes the section; without rates nothing is limited.
    public init(total: ByteRates = ByteRates(), perConnection: ByteRates = ByteRates()) {
        self.total = total
        self.perConnection = perConnection
    }

    /// Whether nothing is limited.
    public var isEmpty: Bool { total.isEmpty && perConnection.isEmpty }
}

/// The limits of clients, on a route or over all routes.
public struct TrafficLimits: Sendable, Hashable {
    /// The most TCP connections and UDP sessions of one client address (IPv6: of one /64) at once; nil is no limit.
    public var maxConnectionsPerIP: Int?
    /// How fast each client network may open connections and sessions; nil is no limit.
    public var rateLimit: RateLimit?
    /// How many bytes may flow.
    public var bandwidth: Bandwidth

    /// Makes the limits; without arguments nothing is limited.
    public init(
        maxConnectionsPerIP: Int? = nil, rateLimit: RateLimit? = nil, bandwidth: Bandwidth = Bandwidth()
    ) {
        self.maxConnectionsPerIP = maxConnectionsPerIP
        self.rateLimit = rateLimit
        self.bandwidth = bandwidth
    }
}
