#if TLS
import NetworkTypes
import WeirMetrics
import WeirTLS

/// Counts the handshakes of the exporter's clients that fail. Sessions hold it, and so its series stay as long as one
/// lives.
final class ExporterTLSMetrics: TLSObserver {
    private let registration: RouteRegistration
    private let failures: [Counter]

    init(_ registry: MetricsRegistry) {
        let registration = RouteRegistration(registry)
        self.registration = registration
        failures = LabelIndex<TLSFailure>.values.map {
            registration.counter(MetricCatalogue.exporterHandshakeFailures, [$0.label])
        }
    }

    func handshakeSucceeded(_ session: TLSSession, side: TLSSide, nanoseconds: UInt64, worker: Int) {}

    func handshakeFailed(side: TLSSide, reason: TLSFailure, worker: Int) { failures[reason.ordinal].add() }

    func truncated(side: TLSSide, worker: Int) {}
}
#endif
