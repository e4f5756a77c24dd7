import WeirMetrics

/// The gauges of list files: how many rules of each are in force. Used by the proxy alone, one reload at a time.
struct AccessListMetrics {
    private let registry: MetricsRegistry
    private var gauges: [String: (registration: RouteRegistration, gauge: Gauge)] = [:]

    init(_ registry: MetricsRegistry) {
        self.registry = registry
    }

    /// Shows these, by the path of the file; a file that is named no more loses its gauge, as a route does.
    mutating func show(_ counts: [String: Int]) {
        for path in gauges.keys where counts[path] == nil { gauges[path] = nil }
        for (path, count) in counts {
            let shown = gauges[path] ?? make(path)
            gauges[path] = shown
            shown.gauge.set(Int64(count))
        }
    }

    private func make(_ path: String) -> (RouteRegistration, Gauge) {
        let registration = RouteRegistration(registry)
        return (registration, registration.gauge(MetricCatalogue.listRules, [path]))
    }
}
