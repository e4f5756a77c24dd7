import WeirExporter
import WeirMetrics

/// Counts what the exporter serves, on its own thread.
struct ExporterMetrics: ExporterObserver {
    private let requests: [Counter]
    private let durations: [Histogram]
    private let responseBytes: [Counter]
    private let series: Gauge
    private let abandonedPasswords: Counter

    init(_ registry: MetricsRegistry) throws(RegistrationError) {
        requests = try Self.register(HTTPStatus.self) { label throws(RegistrationError) in
            try registry.counter(MetricCatalogue.exporterRequests.descriptor, labels: [label])
        }
        durations = try Self.register(ExpositionFormat.self) { label throws(RegistrationError) in
            try registry.histogram(MetricCatalogue.exporterScrapeDuration.descriptor, labels: [label])
        }
        responseBytes = try Self.register(ContentEncoding.self) { label throws(RegistrationError) in
            try registry.counter(MetricCatalogue.exporterResponseBytes.descriptor, labels: [label])
        }
        series = try registry.gauge(MetricCatalogue.exporterSeries.descriptor)
        abandonedPasswords = try registry.counter(MetricCatalogue.exporterAbandonedPasswords.descriptor)
    }

    private static func register<Value: LabelValue, Handle>(
        _ values: Value.Type, _ make: (String) throws(RegistrationError) -> Handle
    ) throws(RegistrationError) -> [Handle] {
        var handles: [Handle] = []
        for value in LabelIndex<Value>.values { handles.append(try make(value.label)) }
        return handles
    }

    func requestAnswered(_ status: HTTPStatus) {
        requests[status.ordinal].add()
    }

    func pageMade(_ format: ExpositionFormat, nanoseconds: UInt64, series count: Int?) {
        durations[format.ordinal].observe(raw: nanoseconds)
        if let count { series.set(Int64(count)) }
    }

    func bytesSent(_ count: Int, _ encoding: ContentEncoding) {
        responseBytes[encoding.ordinal].add(UInt64(count))
    }

    func passwordAbandoned() {
        abandonedPasswords.add()
    }
}
