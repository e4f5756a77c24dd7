import CoreMetrics
import WeirMetrics

/// A counter of whole numbers.
final class BridgedCounter: CounterHandler, BridgedHandler {
    let key: SeriesKey
    private let series: BridgedSeries<WeirMetrics.Counter>

    init(_ key: SeriesKey, _ series: BridgedSeries<WeirMetrics.Counter>) {
        self.key = key
        self.series = series
    }

    func increment(by amount: Int64) {
        guard amount >= 0 else { return series.ignore() }
        series.handle.add(UInt64(amount))
    }

    /// Does nothing: scrapers take differences, and the increments since the last scrape would be lost.
    func reset() {}
}

/// A counter of fractions.
final class BridgedFloatingPointCounter: FloatingPointCounterHandler, BridgedHandler {
    let key: SeriesKey
    private let series: BridgedSeries<WeirMetrics.Counter>
    private let fixedPoint: FixedPoint
    private let remainder = Remainder()

    init(
        _ key: SeriesKey, _ series: BridgedSeries<WeirMetrics.Counter>,
        _ resolution: RegistryMetricsFactory.Resolution
    ) {
        self.key = key
        self.series = series
        fixedPoint = FixedPoint(resolution)
    }

    func increment(by amount: Double) {
        guard amount >= 0, let units = remainder.carry(fixedPoint.scaled(amount)) else { return series.ignore() }
        if units > 0 { series.handle.add(UInt64(units)) }
    }

    /// Does nothing, as for ``BridgedCounter``.
    func reset() {}
}
