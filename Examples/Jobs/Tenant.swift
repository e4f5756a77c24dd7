import WeirMetrics

/// Something that comes and goes while the program runs, with series of its own.
struct Tenant: Sendable {
    static let requests = MetricDescriptor(
        name: "tenant_requests_total", help: "Requests of a tenant.", kind: .counter, labelNames: ["tenant"])
    static let quota = MetricDescriptor(
        name: "tenant_quota", help: "Requests that a tenant may make.", kind: .gauge, labelNames: ["tenant"])

    let requests: Counter
    let quota: Gauge
    private let group: SeriesGroup

    init(_ registry: MetricsRegistry, name: String) throws(RegistrationError) {
        group = registry.group()
        requests = try group.counter(Self.requests, labels: [name])
        quota = try group.gauge(Self.quota, labels: [name])
    }

    /// Both series leave the page together, when they have been seen for their time.
    func leave() {
        group.retire()
    }
}
