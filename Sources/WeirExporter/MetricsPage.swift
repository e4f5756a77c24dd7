public import WeirMetrics

/// Makes the page at `/metrics`. It is called on the exporter's thread only, so it may keep buffers without a lock.
public protocol MetricsPage: AnyObject {
    /// Appends the page, or the part of it that the filter leaves, to `output`, which is empty and keeps its memory between calls.
    /// - Returns: the number of series lines.
    func render(_ format: ExpositionFormat, filter: PageFilter?, into output: inout [UInt8]) -> Int
}
