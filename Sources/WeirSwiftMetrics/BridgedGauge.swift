import CoreMetrics
import WeirMetrics

/// A gauge: a meter, or a recorder that does not aggregate.
final class BridgedGauge: MeterHandler, RecorderHandler, BridgedHandler {
    let key: SeriesKey
    private let series: BridgedSeries<WeirMetrics.Gauge>
    private let fixedPoint: FixedPoint
    private let remainder = Remainder()

    init(
        _ key: SeriesKey, _ series: BridgedSeries<WeirMetrics.Gauge>, _ resolution: RegistryMetricsFactory.Resolution
    ) {
        self.key = key
        self.series = series
        fixedPoint = FixedPoint(resolution)
    }

    func set(_ value: Int64) {
        set(units: fixedPoint.units(value))
    }

    func set(_ value: Double) {
        set(units: fixedPoint.units(value))
    }

    func increment(by amount: Double) {
        guard let units = remainder.carry(fixedPoint.scaled(amount)) else { return series.ignore() }
        if units != 0 { series.handle.add(units) }
    }

    func decrement(by amount: Double) {
        increment(by: -amount)
    }

    func record(_ value: Int64) {
        set(value)
    }

    func record(_ value: Double) {
        set(value)
    }

    private func set(units: Int64?) {
        guard let units else { return series.ignore() }
        remainder.clear()
        series.handle.set(units)
    }
}
