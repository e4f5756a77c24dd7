import CoreMetrics
import WeirMetrics

/// A recorder that aggregates.
final class BridgedRecorder: RecorderHandler, BridgedHandler {
    let key: SeriesKey
    private let series: BridgedSeries<WeirMetrics.Histogram>
    private let fixedPoint: FixedPoint

    init(
        _ key: SeriesKey, _ series: BridgedSeries<WeirMetrics.Histogram>,
        _ resolution: RegistryMetricsFactory.Resolution
    ) {
        self.key = key
        self.series = series
        fixedPoint = FixedPoint(resolution)
    }

    func record(_ value: Int64) {
        record(units: fixedPoint.units(value))
    }

    func record(_ value: Double) {
        record(units: fixedPoint.units(value))
    }

    /// A histogram's sum may only rise, so that its rate means something: no negative numbers.
    private func record(units: Int64?) {
        guard let units, units >= 0 else { return series.ignore() }
        series.handle.observe(raw: UInt64(units))
    }
}

/// A timer. The unit that a program prefers for display is not asked for: seconds are what Prometheus has.
final class BridgedTimer: TimerHandler, BridgedHandler {
    let key: SeriesKey
    private let series: BridgedSeries<WeirMetrics.Histogram>

    init(_ key: SeriesKey, _ series: BridgedSeries<WeirMetrics.Histogram>) {
        self.key = key
        self.series = series
    }

    func recordNanoseconds(_ duration: Int64) {
        guard duration >= 0 else { return series.ignore() }
        series.handle.observe(raw: UInt64(duration))
    }
}
