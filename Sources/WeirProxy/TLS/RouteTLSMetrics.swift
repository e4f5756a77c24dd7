#if TLS
import NetworkTypes
import WeirMetrics
import WeirStream
import WeirTLS

/// Counts the handshakes of a route. Sessions hold it, and so its series stay as long as one lives.
final class RouteTLSMetrics: TLSObserver {
    private struct Side: Sendable {
        /// By version, the resumed ones behind the others.
        let successes: [Counter]
        let failures: LabelCounters<TLSFailure>
        let duration: Histogram
        let truncated: Counter

        init(_ registration: RouteRegistration, _ route: RouteDescription, _ side: TLSSide) {
            let labels = route.labels + [side.label]
            successes = LabelIndex<TLSVersion>.values.flatMap { version in
                ["false", "true"].map {
                    registration.counter(MetricCatalogue.tlsHandshakes, labels + [version.label, $0])
                }
            }
            failures = LabelCounters(registration, MetricCatalogue.tlsFailures, labels: labels, on: route.traits)
            duration = registration.histogram(MetricCatalogue.tlsDuration, labels)
            truncated = registration.counter(MetricCatalogue.tlsTruncated, labels)
        }
    }

    private let registration: RouteRegistration
    private let client: Side?
    private let upstream: Side?

    init(_ route: RouteDescription, registry: MetricsRegistry) {
        registration = RouteRegistration(registry)
        client = route.traits.contains(.encryptedClient) ? Side(registration, route, .client) : nil
        upstream = route.traits.contains(.encryptedUpstream) ? Side(registration, route, .upstream) : nil
    }

    private func counters(_ side: TLSSide) -> Side? { side == .client ? client : upstream }

    func handshakeSucceeded(_ session: TLSSession, side: TLSSide, nanoseconds: UInt64, worker: Int) {
        guard let counters = counters(side) else { return }
        counters.successes[session.version.ordinal * 2 + (session.isResumed ? 1 : 0)].add(shard: worker)
        counters.duration.observe(raw: nanoseconds, shard: worker)
    }

    func handshakeFailed(side: TLSSide, reason: TLSFailure, worker: Int) {
        counters(side)?.failures[reason].add(shard: worker)
    }

    func truncated(side: TLSSide, worker: Int) {
        counters(side)?.truncated.add(shard: worker)
    }
}
#endif
