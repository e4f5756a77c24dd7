import WeirMetrics
import WeirStream

/// Counts the turns of the event loops, on the loops themselves, and tells the registry that a shard holds nothing old.
final class EngineMetrics: EngineObserver {
    private struct Shard: Sendable {
        let turns: Counter
        let busy: Counter
        let lag: Histogram
    }

    private let registry: MetricsRegistry
    private let shards: [Shard]

    init(_ registry: MetricsRegistry) throws(RegistrationError) {
        self.registry = registry
        var shards: [Shard] = []
        for worker in 0..<registry.shardCount {
            let labels = ["\(worker)"]
            shards.append(
                Shard(
                    turns: try registry.counter(MetricCatalogue.loopTurns.descriptor, labels: labels),
                    busy: try registry.counter(MetricCatalogue.loopBusy.descriptor, labels: labels),
                    lag: try registry.histogram(MetricCatalogue.loopLag.descriptor, labels: labels)))
        }
        self.shards = shards
    }

    func turned(worker: Int, busyNanoseconds: UInt64, timerLagNanoseconds: UInt64?) {
        let shard = shards[worker]
        shard.turns.add(shard: worker)
        shard.busy.add(busyNanoseconds, shard: worker)
        if let lag = timerLagNanoseconds { shard.lag.observe(raw: lag, shard: worker) }
        registry.acknowledge(shard: worker)
    }
}
