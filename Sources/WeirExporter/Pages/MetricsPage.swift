public import WeirMetrics

/// Makes the page at `/metrics`, in pieces: between them the exporter answers what needs no page. It is called on the
/// exporter's thread only, so it may keep buffers without a lock, and for one page at a time.
public protocol MetricsPage: AnyObject {
    /// Begins the page, or the part of it that the filter leaves.
    func begin(_ format: ExpositionFormat, filter: PageFilter?)
    /// Appends the next piece to `output`, which should take no more than a few milliseconds.
    /// - Returns: the number of the page's series lines once it is complete; nil where more pieces follow.
    func appendPiece(to output: inout [UInt8]) -> Int?
    /// Gives up the page that was begun: no client waits for it any more.
    func drop()
}
