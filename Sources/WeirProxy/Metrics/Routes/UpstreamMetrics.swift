import Threading
import WeirMetrics
import WeirStream

/// The series of one upstream of a route.
struct UpstreamMetrics: Sendable {
    /// The metrics that only an upstream with a name has.
    final class Resolving: Sendable {
        let successes: Counter
        let failures: Counter
        /// Nil once the upstream is configured no more: its name is not looked up again, and the time would only age.
        private let lastSuccess: Lock<Gauge?>

        init(successes: Counter, failures: Counter, lastSuccess: Gauge) {
            self.successes = successes
            self.failures = failures
            self.lastSuccess = Lock(lastSuccess)
        }

        func succeeded() {
            lastSuccess.withLock { gauge in
                if let gauge { gauge.set(WallClock.nanoseconds / 1_000_000) }
            }
        }

        func retire() { lastSuccess.withLock { $0 = nil } }
    }

    let dials: Counter
    let failures: LabelCounters<DialFailure>
    /// TCP only: the dial of a datagram socket waits for no peer.
    let duration: Histogram?
    let active: Gauge
    /// UDP only.
    let errors: LabelCounters<UpstreamErrorReason>?
    let resolving: Resolving?
    /// Only for an upstream of a set: that of a single one is the route's.
    let bytes: DirectionCounters?

    init(
        _ registration: RouteRegistration, settings: RouteRegistration, _ route: RouteDescription,
        _ upstream: RouteDescription.Upstream
    ) {
        let labels = route.labels + [upstream.label]
        dials = registration.counter(MetricCatalogue.dials, labels)
        let traits = upstream.isName ? route.traits.union(.upstreamName) : route.traits
        failures = LabelCounters(registration, MetricCatalogue.dialFailures, labels: labels, on: traits)
        active = registration.gauge(MetricCatalogue.upstreamActive, labels)
        switch route.transport {
        case .tcp:
            duration = registration.histogram(MetricCatalogue.dialDuration, labels)
            errors = nil
        case .udp:
            duration = nil
            errors = LabelCounters(registration, MetricCatalogue.udpUpstreamErrors, labels: labels, on: traits)
        }
        bytes =
            route.traits.contains(.upstreamSet)
            ? DirectionCounters(registration, MetricCatalogue.upstreamBytes, labels: labels) : nil
        resolving =
            upstream.isName
            ? Resolving(
                successes: registration.counter(MetricCatalogue.resolves, labels + ["success"]),
                failures: registration.counter(MetricCatalogue.resolves, labels + ["failure"]),
                lastSuccess: settings.gauge(MetricCatalogue.lastResolve, labels)) : nil
    }

    /// A dial ended well.
    func dialed(duration nanoseconds: UInt64, shard: Int) {
        dials.add(shard: shard)
        duration?.observe(raw: nanoseconds, shard: shard)
        active.add(1, shard: shard)
    }

    /// A dial ended otherwise.
    func dialFailed(_ reason: DialFailure, shard: Int) {
        dials.add(shard: shard)
        failures[reason].add(shard: shard)
    }

    /// The upstream is configured no more.
    func retireSettings() { resolving?.retire() }

    /// The name was looked up. Any thread.
    func resolved(succeeded: Bool) {
        guard let resolving else { return }
        (succeeded ? resolving.successes : resolving.failures).add()
        if succeeded { resolving.succeeded() }
    }
}
