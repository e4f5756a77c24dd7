import WeirMetrics

/// A series and the ownership of it. The series is retired when its handler is freed, hence when no thread can update
/// it any more: the registry may then give its cells to another series.
final class BridgedSeries<Handle: MetricHandle>: Sendable {
    let handle: Handle
    private let registry: MetricsRegistry
    private let losses: Losses

    init(_ handle: Handle, registry: MetricsRegistry, losses: Losses) {
        self.handle = handle
        self.registry = registry
        self.losses = losses
    }

    deinit {
        registry.retire(handle)
    }

    /// Counts an update that cannot be kept.
    func ignore() {
        losses.ignored.add()
    }
}

/// The factory's counters of refused metrics and ignored updates.
struct Losses: Sendable {
    let refused: WeirMetrics.Counter
    let ignored: WeirMetrics.Counter

    init(_ registry: MetricsRegistry, prefix: String) throws(RegistrationError) {
        refused = try registry.counter(
            MetricDescriptor(
                name: MetricNaming.name("swift_metrics_refused", of: .counter, prefix: prefix),
                help: "Metrics of swift-metrics that could not be registered.", kind: .counter))
        ignored = try registry.counter(
            MetricDescriptor(
                name: MetricNaming.name("swift_metrics_ignored_updates", of: .counter, prefix: prefix),
                help: "Updates through swift-metrics with a value that cannot be kept.", kind: .counter))
    }
}
