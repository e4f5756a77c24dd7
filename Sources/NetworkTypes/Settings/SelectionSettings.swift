/// The algorithm that chooses among the upstreams of a route.
public enum BalanceMethod: String, CaseIterable, Sendable {
    /// In turn, in proportion to the weights, evenly mixed.
    case roundRobin = "round_robin"
    /// The one with the fewest connections or sessions over all workers, in proportion to the weights.
    case leastConnections = "least_connections"
    /// By the client's address, the same choice in every instance with the same upstreams (consistent hashing).
    case maglev
    /// The first one in the order of the configuration.
    case first
}

/// The treatment of clients while no upstream is up.
public enum WhenNone: String, CaseIterable, Sendable {
    /// All upstreams are dialed as if they were up, except those that drain.
    case dial
    /// The client is rejected as `no_upstream`.
    case reject
}

/// The treatment of an upstream's connections when a check or ejection takes it out.
public enum DownAction: String, CaseIterable, Sendable {
    /// They stay until they end by themselves.
    case keep
    /// They are closed.
    case close
}

/// The ejection of upstreams whose connections fail in a row.
public struct Ejection: Hashable, Sendable {
    /// The failures in a row that eject an upstream; at least 1.
    public var failures: Int
    /// The time of the first ejection. Each further one, without a success between them, lasts twice as long.
    public var duration: Duration
    /// The longest time. Failures that are further apart than this are not in a row.
    public var maxDuration: Duration

    /// Creates the settings; the defaults are those of a route with several upstreams.
    public init(failures: Int = 5, duration: Duration = .seconds(10), maxDuration: Duration = .seconds(300)) {
        self.failures = failures
        self.duration = duration
        self.maxDuration = maxDuration
    }
}

/// The choice of a route among its upstreams.
public struct SelectionSettings: Hashable, Sendable {
    /// The algorithm.
    public var method = BalanceMethod.roundRobin
    /// The ejection of upstreams that fail; nil turns it off.
    public var ejection: Ejection? = Ejection()
    /// The connections of an upstream that is out.
    public var onDown = DownAction.keep
    /// The time in which the weight of an upstream that is up again after a failure grows to its full value; nil is at
    /// once.
    public var slowStart: Duration?
    /// The treatment of clients while no upstream is up.
    public var whenNone = WhenNone.dial

    /// Creates the defaults.
    public init() {}
}
