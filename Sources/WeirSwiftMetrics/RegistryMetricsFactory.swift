public import CoreMetrics
import Threading
public import WeirMetrics

/// A factory that puts the metrics of swift-metrics, of a program and its packages, on the page of a `MetricsRegistry`.
///
/// ```swift
/// let registry = MetricsRegistry(shardCount: 0)
/// MetricsSystem.bootstrap(try RegistryMetricsFactory(registry))
/// ```
///
/// Making and destroying a metric takes a lock; updating one takes none, waits for no other thread and allocates
/// nothing. Any thread. <doc:Semantics> says how names, dimensions and values are converted.
public final class RegistryMetricsFactory: MetricsFactory {
    /// The registry of the series.
    public let registry: MetricsRegistry
    private let options: Options
    private let losses: Losses
    /// Taken before the registry's own lock, never after it: no handler calls the factory.
    private let table: Lock<SeriesTable>

    /// A factory over `registry`. Several may share one registry, and the program may register there itself.
    ///
    /// Registers two counters of its own, for ``refusedMetrics`` and ``ignoredUpdates``, and throws where their names
    /// are taken or the page is full.
    public init(_ registry: MetricsRegistry, options: Options = Options()) throws(RegistrationError) {
        self.registry = registry
        self.options = options
        losses = try Losses(registry, prefix: options.prefix)
        table = Lock(SeriesTable())
    }

    /// Metrics that were asked for and could not be registered: `swift_metrics_refused_total` on the page, behind the
    /// prefix. ``Options/onRefusal`` is called with the reason. Updates to them are discarded.
    public var refusedMetrics: UInt64 { losses.refused.value }

    /// Updates with a value that cannot be kept: `swift_metrics_ignored_updates_total` on the page, behind the prefix.
    public var ignoredUpdates: UInt64 { losses.ignored.value }

    /// The counter of whole numbers with this label and these dimensions; the same handler until it is destroyed.
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        let made = make(.counter, label, dimensions) { family, key throws(RegistrationError) in
            let series = try registry.counter(family.descriptor, labels: key.labels)
            return BridgedCounter(key, BridgedSeries(series, registry: registry, losses: losses))
        }
        return made ?? NOOPMetricsHandler.instance
    }

    /// The counter of fractions with this label and these dimensions; the same handler until it is destroyed.
    public func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        let made = make(.floatingPointCounter, label, dimensions) { family, key throws(RegistrationError) in
            let series = try registry.counter(family.descriptor, labels: key.labels)
            return BridgedFloatingPointCounter(
                key, BridgedSeries(series, registry: registry, losses: losses), family.resolution)
        }
        return made ?? NOOPMetricsHandler.instance
    }

    /// The gauge with this label and these dimensions; the same handler until it is destroyed.
    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        makeGauge(label, dimensions) ?? NOOPMetricsHandler.instance
    }

    /// The histogram with this label and these dimensions, or, where nothing is to be aggregated, the gauge; the same
    /// handler until it is destroyed.
    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        guard aggregate else { return makeGauge(label, dimensions) ?? NOOPMetricsHandler.instance }
        let made = make(.recorder, label, dimensions) { family, key throws(RegistrationError) in
            let series = try registry.histogram(family.descriptor, labels: key.labels)
            return BridgedRecorder(
                key, BridgedSeries(series, registry: registry, losses: losses), family.resolution)
        }
        return made ?? NOOPMetricsHandler.instance
    }

    /// The histogram of durations with this label and these dimensions; the same handler until it is destroyed.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        let made = make(.timer, label, dimensions) { family, key throws(RegistrationError) in
            let series = try registry.histogram(family.descriptor, labels: key.labels)
            return BridgedTimer(key, BridgedSeries(series, registry: registry, losses: losses))
        }
        return made ?? NOOPMetricsHandler.instance
    }

    /// Forgets the counter; its series is retired when the last reference to the handler is gone.
    public func destroyCounter(_ handler: any CounterHandler) { forget(handler) }

    /// Forgets the counter; its series is retired when the last reference to the handler is gone.
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { forget(handler) }

    /// Forgets the meter; its series is retired when the last reference to the handler is gone.
    public func destroyMeter(_ handler: any MeterHandler) { forget(handler) }

    /// Forgets the recorder; its series is retired when the last reference to the handler is gone.
    public func destroyRecorder(_ handler: any RecorderHandler) { forget(handler) }

    /// Forgets the timer; its series is retired when the last reference to the handler is gone.
    public func destroyTimer(_ handler: any TimerHandler) { forget(handler) }

    private func makeGauge(_ label: String, _ dimensions: [(String, String)]) -> BridgedGauge? {
        make(.meter, label, dimensions) { family, key throws(RegistrationError) in
            let series = try registry.gauge(family.descriptor, labels: key.labels)
            return BridgedGauge(key, BridgedSeries(series, registry: registry, losses: losses), family.resolution)
        }
    }

    /// The handler that there is, or a new one; nil where it is refused.
    private func make<Handler: BridgedHandler>(
        _ instrument: Instrument, _ label: String, _ dimensions: [(String, String)],
        _ register: (BridgedFamily, SeriesKey) throws(RegistrationError) -> Handler
    ) -> Handler? {
        do throws(Refusal) {
            return try table.withLock { table throws(Refusal) in
                try table.handler(instrument, label, dimensions, options, register)
            }
        } catch {
            losses.refused.add()
            options.onRefusal(error)
            return nil
        }
    }

    private func forget(_ handler: Any) {
        guard let handler = handler as? any BridgedHandler else { return }
        table.withLock { $0.forget(handler) }
    }
}
