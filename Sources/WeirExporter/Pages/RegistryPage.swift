public import WeirMetrics

/// The page of a `MetricsRegistry`.
public final class RegistryPage: MetricsPage {
    private let registry: MetricsRegistry
    private var buffer = ScrapeBuffer()

    /// Renders `registry`.
    public init(_ registry: MetricsRegistry) {
        self.registry = registry
    }

    /// Begins a page of every series, or of those that the filter leaves.
    public func begin(_ format: ExpositionFormat, filter: PageFilter?) {
        registry.beginPage(in: &buffer, format: format, filter: filter)
    }

    /// Renders about `MetricsRegistry.pieceWork` lines.
    public func appendPiece(to output: inout [UInt8]) -> Int? {
        let isComplete = registry.renderPiece(into: &buffer)
        unsafe buffer.withUnsafeBytes { unsafe output.append(contentsOf: $0) }
        return isComplete ? buffer.seriesLines : nil
    }

    /// Ends the scrape, so that the registry can free what it keeps for it.
    public func drop() { buffer.dropPage() }
}
