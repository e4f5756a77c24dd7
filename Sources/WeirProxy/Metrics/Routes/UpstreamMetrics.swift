import WeirMetrics
import WeirStream

/// The series of one upstream of a route.
struct UpstreamMetrics: Sendable {
    /// The metrics that only an upstream with a name has.
    struct Resolving: Sendable {
        let successes: Counter
        let failures: Counter
        let lastSuccess: Gauge
    }

    let dials: Counter
    let failures: LabelCounters<DialFailure>
    /// TCP only: the dial of a datagram socket waits for no peer.
    let duration: Histogram?
    let active: Gauge
    /// UDP only.
    let errors: LabelCounters<UpstreamErrorReason>?
    let resolving: Resolving?

    init(_ registration: RouteRegistration, _ route: RouteDescription, _ upstream: RouteDescription.Upstream) {
        let labels = route.labels + [upstream.text]
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
        resolving =
            upstream.isName
            ? Resolving(
                successes: registration.counter(MetricCatalogue.resolves, labels + ["success"]),
                failures: registration.counter(MetricCatalogue.resolves, labels + ["failure"]),
                lastSuccess: registration.gauge(MetricCatalogue.lastResolve, labels)) : nil
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

    /// The name was looked up. Any thread.
    func resolved(succeeded: Bool) {
        guard let resolving else { return }
        (succeeded ? resolving.successes : resolving.failures).add()
        if succeeded { resolving.lastSuccess.set(WallClock.nanoseconds / 1_000_000) }
    }
}
