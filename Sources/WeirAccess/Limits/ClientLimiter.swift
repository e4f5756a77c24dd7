import LinuxIO
public import WeirStream

/// Holds clients to limits, over all workers and without a lock: see `StreamHooks.enforce(_:)`.
///
/// Streams that share a limiter share its counts: a client's connections to all of them are counted together. A limiter
/// has tables of fixed size, 12 MiB of which only what is used takes memory.
public final class ClientLimiter: Sendable {
    let limiter: RouteLimiter?

    /// A limiter for streams of this engine; without one, of `StreamEngine.shared()`.
    /// - Throws: where there is no shared engine yet, and none can be made.
    public convenience init(_ limits: ClientLimits, engine: StreamEngine? = nil) throws(StreamError) {
        let engine = if let engine { engine } else { try StreamEngine.shared() }
        self.init(limits, workers: engine.workerCount)
    }

    init(_ limits: ClientLimits, workers: Int) {
        func meter(_ rate: Int?) -> BandwidthMeter? {
            rate.map { BandwidthMeter(ByteBucket(bytesPerSecond: UInt64(max(1, $0))), workers: workers) }
        }
        func bucket(_ rate: Int?) -> ByteBucket? { rate.map { ByteBucket(bytesPerSecond: UInt64(max(1, $0))) } }
        let level = RouteLimiter.Level(
            scope: LimitScope("streams"), maxPerClient: limits.maxConnectionsPerClient,
            rate: limits.rate.map {
                TokenBucket(count: $0.count, period: $0.period.clampedNanoseconds, burst: $0.burst)
            },
            bandwidth: DirectionPair(
                ingress: meter(limits.bandwidth.ingress), egress: meter(limits.bandwidth.egress)),
            perConnection: DirectionPair(
                ingress: bucket(limits.bandwidthPerConnection.ingress),
                egress: bucket(limits.bandwidthPerConnection.egress)))
        limiter = RouteLimiter(ClientTables(), route: level, process: RouteLimiter.Level(scope: LimitScope("process")))
    }
}
