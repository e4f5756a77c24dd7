/// Any handle that the registry gave out.
public protocol MetricHandle: Sendable {
    /// Which series it stands for.
    var seriesID: SeriesID { get }
}

/// The identity of a series; never used twice in a process.
public struct SeriesID: Hashable, Sendable {
    let serial: UInt64
}

extension Counter: MetricHandle {
    /// Which series it stands for.
    public var seriesID: SeriesID { SeriesID(serial: serial) }
}

extension Gauge: MetricHandle {
    /// Which series it stands for.
    public var seriesID: SeriesID { SeriesID(serial: serial) }
}

extension DerivedGauge: MetricHandle {
    /// Which series it stands for.
    public var seriesID: SeriesID { SeriesID(serial: serial) }
}

extension Histogram: MetricHandle {
    /// Which series it stands for.
    public var seriesID: SeriesID { SeriesID(serial: serial) }
}
