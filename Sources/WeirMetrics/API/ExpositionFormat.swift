/// The formats a page can be rendered in.
public enum ExpositionFormat: Sendable, Hashable, CaseIterable {
    /// Prometheus text format 0.0.4.
    case text004
    /// OpenMetrics text format 1.0.0.
    case openMetrics100
    /// `io.prometheus.client.MetricFamily` messages, each behind its length: the one format with native histograms.
    case delimitedProtobuf

    /// The value of the `Content-Type` header.
    public var contentType: String {
        switch self {
        case .text004: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics100: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        case .delimitedProtobuf:
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
        }
    }
}
