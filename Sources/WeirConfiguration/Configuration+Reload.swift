extension Configuration {
    /// The settings that differ from those the process started with but are fixed for its life: what a reload cannot
    /// change and must warn about. Empty if nothing of the kind changed.
    public func reloadDifferences(from old: Configuration) -> [String] {
        var names: [String] = []
        if workers != old.workers { names.append("workers") }
        if exporter.listen != old.exporter.listen { names.append("exporter.listen") }
        if exporter.hasNativeHistograms != old.exporter.hasNativeHistograms {
            names.append("exporter.native_histograms")
        }
        if exporter.nativeHistogramSchema != old.exporter.nativeHistogramSchema {
            names.append("exporter.native_histogram_schema")
        }
        if exporter.socketMode != old.exporter.socketMode { names.append("exporter.socket_mode") }
        return names
    }
}
