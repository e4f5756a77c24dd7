import Threading

/// Series with one lifetime, those of a route for example. Registers like the registry, and retires everything in one
/// step, so that a page shows all of the group's counters and histograms or none of them. Any thread; takes a lock.
///
/// An object that still updates the series (a connection that drains) keeps the group alive by a reference; the group
/// retires its series when the last reference is gone. After that, a late update in the same turn of a worker's loop is
/// still harmless, because cells wait for ``MetricsRegistry/acknowledge(shard:)``.
public final class SeriesGroup: Sendable {
    private struct Owned {
        var serials: [UInt64] = []
        /// Those of gauges.
        var gauges: [UInt64] = []
    }

    private let registry: MetricsRegistry
    private let owned = Lock(Owned())

    init(registry: MetricsRegistry) {
        self.registry = registry
    }

    deinit {
        retire()
    }

    /// As ``MetricsRegistry/counter(_:labels:isHidden:)``, owned by the group.
    public func counter(
        _ descriptor: MetricDescriptor, labels: [String] = [], isHidden: Bool = false
    ) throws(RegistrationError) -> Counter {
        try own(registry.counter(descriptor, labels: labels, isHidden: isHidden))
    }

    /// As ``MetricsRegistry/gauge(_:labels:)``, owned by the group.
    public func gauge(_ descriptor: MetricDescriptor, labels: [String] = []) throws(RegistrationError) -> Gauge {
        let gauge = try registry.gauge(descriptor, labels: labels)
        owned.withLock { $0.gauges.append(gauge.seriesID.serial) }
        return gauge
    }

    /// As ``MetricsRegistry/histogram(_:labels:)``, owned by the group.
    public func histogram(
        _ descriptor: MetricDescriptor, labels: [String] = []
    ) throws(RegistrationError) -> Histogram {
        try own(registry.histogram(descriptor, labels: labels))
    }

    /// As ``MetricsRegistry/derivedGauge(_:labels:beginnings:endings:)``, owned by the group.
    public func derivedGauge(
        _ descriptor: MetricDescriptor, labels: [String] = [], beginnings: [Counter], endings: [Counter]
    ) throws(RegistrationError) -> DerivedGauge {
        try own(registry.derivedGauge(descriptor, labels: labels, beginnings: beginnings, endings: endings))
    }

    /// Retires everything the group owns. Once; later calls do nothing until more is registered.
    ///
    /// Gauges leave the page at once, unless another group owns them: what they say of a thing that is gone is no
    /// longer so, and alerts would go on. A derived gauge stays with its counters.
    public func retire() {
        let owned = owned.withLock { owned in
            defer { owned = Owned() }
            return owned
        }
        if owned.serials.isEmpty, owned.gauges.isEmpty { return }
        registry.retire(serials: owned.serials, leavingAtOnce: owned.gauges)
    }

    private func own<Handle: MetricHandle>(_ handle: Handle) -> Handle {
        owned.withLock { $0.serials.append(handle.seriesID.serial) }
        return handle
    }
}
