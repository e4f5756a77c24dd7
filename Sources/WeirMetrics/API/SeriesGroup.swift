import Threading

/// Series with one lifetime, those of a route for example. Registers like the registry, and retires everything in one
/// step, so that a page shows all of the group or none of it. Any thread; takes a lock.
///
/// An object that still updates the series (a connection that drains) keeps the group alive by a reference; the group
/// retires its series when the last reference is gone. After that, a late update in the same turn of a worker's loop is
/// still harmless, because cells wait for ``MetricsRegistry/acknowledge(shard:)``.
public final class SeriesGroup: Sendable {
    private let registry: MetricsRegistry
    private let serials = Lock<[UInt64]>([])

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
        try own(registry.gauge(descriptor, labels: labels))
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
    public func retire() {
        let owned = serials.withLock { serials in
            let owned = serials
            serials = []
            return owned
        }
        if !owned.isEmpty { registry.retire(serials: owned) }
    }

    private func own<Handle: MetricHandle>(_ handle: Handle) -> Handle {
        serials.withLock { $0.append(handle.seriesID.serial) }
        return handle
    }
}
