/// A handle to a series of the registry.
public protocol MetricHandle: Sendable {
    /// The identity of its series.
    var seriesID: SeriesID { get }
}

/// The identity of a series; never used twice in a process.
public struct SeriesID: Hashable, Sendable {
    let serial: UInt64
}

extension Counter: MetricHandle {
    /// The identity of its series.
    public var seriesID: SeriesID { SeriesID(serial: serial) }
}

extension Gauge: MetricHandle {
    /// The identity of its series.
    public var seriesID: SeriesID { SeriesID(serial: serial) }
}

extension DerivedGauge: MetricHandle {
    /// The identity of its series.
    public var seriesID: SeriesID { SeriesID(serial: serial) }
}

extension Histogram: MetricHandle {
    /// The identity of its series.
    public var seriesID: SeriesID { SeriesID(serial: serial) }
}
