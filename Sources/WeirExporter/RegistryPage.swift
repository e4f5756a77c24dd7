public import WeirMetrics

/// The page of a `MetricsRegistry`.
public final class RegistryPage: MetricsPage {
    private let registry: MetricsRegistry
    private var buffer = ScrapeBuffer()

    /// Renders `registry`.
    public init(_ registry: MetricsRegistry) {
        self.registry = registry
    }

    /// Renders every series, or those that the filter leaves.
    public func render(_ format: ExpositionFormat, filter: PageFilter?, into output: inout [UInt8]) -> Int {
        let series = registry.render(into: &buffer, format: format, filter: filter)
        // One copy, so that a page which waits for a slow reader does not hold up the next rendering.
        unsafe buffer.withUnsafeBytes { unsafe output.append(contentsOf: $0) }
        return series
    }
}
