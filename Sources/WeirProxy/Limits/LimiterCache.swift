import LinuxIO
import WeirAccess
import WeirConfiguration
import WeirStream

/// The limits in force, and the meters that outlive a reload. Belongs to the proxy.
struct LimiterCache {
    /// A meter lives as long as its rates stay the same: a reload that changes something else lets old and new
    /// connections share it.
    private struct Meters {
        let rates: ByteRates
        let meters: DirectionPair<BandwidthMeter>
    }

    /// The limits of all routes together.
    var process: TrafficLimits
    private var meters: [String: Meters] = [:]

    /// No route can have this name.
    private static let processName = ""

    init(_ process: TrafficLimits) {
        self.process = process
    }

    /// The limiter of a route's clients; nil without limits.
    mutating func limiter(of route: RouteConfiguration, clients: ClientTables, workers: Int) -> RouteLimiter? {
        RouteLimiter(
            clients, route: level(route.name, route.limits, workers),
            process: level(Self.processName, process, workers))
    }

    /// The limiter of clients that no route has yet; nil where the process limits none.
    mutating func listenerLimiter(clients: ClientTables, workers: Int) -> ListenerLimiter? {
        ListenerLimiter(clients, process: level(Self.processName, process, workers))
    }

    /// Forgets the meters of routes that are gone.
    mutating func forget(except names: Set<String>) {
        meters = meters.filter { $0.key == Self.processName || names.contains($0.key) }
    }

    private mutating func level(_ name: String, _ limits: TrafficLimits, _ workers: Int) -> RouteLimiter.Level {
        RouteLimiter.Level(
            scope: LimitScope(name), maxPerClient: limits.maxConnectionsPerIP,
            rate: limits.rateLimit.map {
                TokenBucket(count: $0.count, period: $0.period.clampedNanoseconds, burst: $0.burst)
            },
            bandwidth: meters(of: name, limits.bandwidth.total, workers),
            perConnection: Self.buckets(limits.bandwidth.perConnection))
    }

    private mutating func meters(of name: String, _ rates: ByteRates, _ workers: Int) -> DirectionPair<BandwidthMeter> {
        if let known = meters[name], known.rates == rates { return known.meters }
        let buckets = Self.buckets(rates)
        let made = DirectionPair(
            ingress: buckets.ingress.map { BandwidthMeter($0, workers: workers) },
            egress: buckets.egress.map { BandwidthMeter($0, workers: workers) })
        meters[name] = made.isEmpty ? nil : Meters(rates: rates, meters: made)
        return made
    }

    private static func buckets(_ rates: ByteRates) -> DirectionPair<ByteBucket> {
        DirectionPair(
            ingress: rates.ingress.map { ByteBucket(bytesPerSecond: UInt64($0)) },
            egress: rates.egress.map { ByteBucket(bytesPerSecond: UInt64($0)) })
    }
}
