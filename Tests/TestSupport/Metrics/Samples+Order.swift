extension Samples {
    /// Counters that are smaller than in an earlier scrape, or missing: there must be none.
    package func countersBehind(_ earlier: Samples) -> [String] {
        earlier.values.compactMap { series, value in
            guard earlier.types[series.name] == "counter" else { return nil }
            guard let now = values[series], now >= value else { return "\(series) went back from \(value)" }
            return nil
        }
    }
}
