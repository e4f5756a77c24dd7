import Threading
import WeirDocker
import WeirMetrics

/// The metrics of one container engine. Any thread.
final class ContainerMetrics: Sendable {
    private let up: Gauge
    private let lastSync: Gauge
    private let events: Counter
    private let states: [Gauge]
    private let errors: [Counter]
    /// Owns the series, which are retired with the last user.
    private let registration: RouteRegistration

    init(_ engine: String, _ registry: MetricsRegistry) {
        let registration = RouteRegistration(registry)
        up = registration.gauge(MetricCatalogue.sourceUp, [engine])
        lastSync = registration.gauge(MetricCatalogue.sourceLastSync, [engine])
        events = registration.counter(MetricCatalogue.dockerEvents, [engine])
        states = LabelIndex<ContainerVerdict.State>.values.map {
            registration.gauge(MetricCatalogue.dockerContainers, [engine, $0.label])
        }
        errors = LabelIndex<EngineErrorReason>.values.map {
            registration.counter(MetricCatalogue.dockerErrors, [engine, $0.label])
        }
        self.registration = registration
        up.set(0)
    }

    /// The values of the gauges. Any thread.
    func live(_ name: String) -> LiveBoard.Engine {
        LiveBoard.Engine(
            name: name, isUp: up.value == 1, listedAt: lastSync.value,
            containers: LabelIndex<ContainerVerdict.State>.values.map { ($0, states[$0.ordinal].value) })
    }

    func show(isUp: Bool) { up.set(isUp ? 1 : 0) }

    func listed() { lastSync.set(WallClock.nanoseconds / 1_000_000) }

    func sawEvent() { events.add() }

    func failed(_ reason: EngineErrorReason) { errors[reason.ordinal].add() }

    /// Shows how many containers of the engine are in each state.
    func show(_ verdicts: [ContainerVerdict]) {
        for state in LabelIndex<ContainerVerdict.State>.values {
            states[state.ordinal].set(Int64(verdicts.count { $0.state == state }))
        }
    }
}
