import WeirMetrics
import WeirStream

/// Counts the turns of the event loops, on the loops themselves, and tells the registry that a lane holds nothing old.
final class EngineMetrics: EngineObserver {
    private struct Lane: Sendable {
        let turns: Counter
        let busy: Counter
        let lag: Histogram
    }

    private let registry: MetricsRegistry
    private let lanes: [Lane]

    init(_ registry: MetricsRegistry) throws(RegistrationError) {
        self.registry = registry
        var lanes: [Lane] = []
        for worker in 0..<registry.lanes {
            let labels = ["\(worker)"]
            lanes.append(
                Lane(
                    turns: try registry.counter(MetricCatalogue.loopTurns.descriptor, labels: labels),
                    busy: try registry.counter(MetricCatalogue.loopBusy.descriptor, labels: labels),
                    lag: try registry.histogram(MetricCatalogue.loopLag.descriptor, labels: labels)))
        }
        self.lanes = lanes
    }

    func turned(worker: Int, busyNanoseconds: UInt64, timerLagNanoseconds: UInt64?) {
        let lane = lanes[worker]
        lane.turns.add(lane: worker)
        lane.busy.add(busyNanoseconds, lane: worker)
        if let lag = timerLagNanoseconds { lane.lag.observe(nanoseconds: lag, lane: worker) }
        registry.acknowledge(lane: worker)
    }
}
