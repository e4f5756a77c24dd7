import NetworkTypes
import WeirMetrics

// Families of routes that speak TLS; others have none of these series.

extension MetricCatalogue {
    private static let side = MetricDeclaration.Label.of("side", TLSSide.self)

    static let tlsHandshakes = MetricDeclaration.counter(
        "tls_handshakes_total", "TLS handshakes that succeeded.",
        [.route, .transport, side, .of("version", TLSVersion.self), .of("resumed", ["false", "true"])])
    static let tlsFailures = MetricDeclaration.counter(
        "tls_handshake_failures_total",
        "TLS handshakes that failed; a client that closes before its first byte is none.",
        [.route, .transport, side, .of("reason", TLSFailure.self)])
    static let tlsDuration = MetricDeclaration.histogram(
        "tls_handshake_duration_seconds", "Time of TLS handshakes that succeeded.", [.route, .transport, side],
        microseconds: Buckets.dial)
    static let tlsTruncated = MetricDeclaration.counter(
        "tls_truncated_total", "Streams that the peer ended with a FIN alone, without close_notify.",
        [.route, .transport, side])
    static let exporterHandshakeFailures = MetricDeclaration.counter(
        "exporter_tls_handshake_failures_total",
        "TLS handshakes with clients of the exporter that failed; with `exporter.tls` only.",
        [.of("reason", TLSFailure.self)])
    static let certificateExpiry = MetricDeclaration.gauge(
        "tls_certificate_expiry_timestamp_seconds", "When a certificate ends.", [.of("certificate", [])],
        unit: "seconds")
    static let certificateReload = MetricDeclaration.gauge(
        "tls_certificate_last_reload_successful",
        "1 where the files of a certificate were taken when they last changed; 0 where the old ones stay.",
        [.of("certificate", [])])

    static let encryption = [
        tlsHandshakes, tlsFailures, tlsDuration, tlsTruncated, exporterHandshakeFailures, certificateExpiry,
        certificateReload,
    ]
}
