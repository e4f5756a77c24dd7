import WeirMetrics

/// Measures the cost of registering series and of rendering pages of them.
struct Pages {
    let rounds: Int
    let shardCount: Int

    /// A page of about `series` lines as a program with many routes has them.
    func measureRoutes(series: Int, bar: Double?, gzipBar: Double?, into table: inout Table) throws {
        let routes = series / Catalogue.linesPerRoute
        let before = residentBytes()
        let registry = MetricsRegistry(shardCount: shardCount)
        let start = threadNanoseconds()
        let groups = try (0..<routes).map { try Catalogue.register(route: "route-\(1000 + $0)", in: registry) }
        let taken = Double(threadNanoseconds() - start) / 1e6
        let what = "\(series) series of \(routes) routes, \(shardCount) shards"
        table.add("registering \(what)", taken, "ms", bar: series == 10_000 ? 50 : nil)
        if series >= 100_000 {
            table.add(
                "memory per line, prefixes and books included", Double(residentBytes() - before) / Double(series),
                "bytes")
        }
        measure(registry, what, bar: bar, gzipBar: gzipBar, into: &table)
        withExtendedLifetime(groups) {}
    }

    /// A page of counters of one family.
    func measureCounters(series: Int, bar: Double?, into table: inout Table) throws {
        let registry = MetricsRegistry(shardCount: shardCount)
        let descriptor = MetricDescriptor(
            name: "weir_bytes_total", help: "Bytes.", kind: .counter, labelNames: ["route", "protocol", "direction"])
        for index in 0..<series {
            let labels = ["route-\(1000 + index)", "tcp", "ingress"]
            try registry.counter(descriptor, labels: labels).add(UInt64(index * index * index), shard: 0)
        }
        measure(
            registry, "\(series) counters of one family, \(shardCount) shards", bar: bar, gzipBar: nil, into: &table)
    }

    private func measure(
        _ registry: MetricsRegistry, _ what: String, bar: Double?, gzipBar: Double?, into table: inout Table
    ) {
        var buffer = ScrapeBuffer()
        registry.render(into: &buffer)
        let lines = Double(buffer.seriesLines)
        let time = Cost(rounds: rounds) { registry.render(into: &buffer) }
        let size = "\(buffer.count / 1000) kB, \(short(time.median / lines)) ns a line"
        table.add("rendering \(what)", time / 1e6, "ms", bar: bar, remark: size)
        let sweep = CacheSweep()
        let cold = Cost(rounds: rounds / 4, before: { sweep() }) { registry.render(into: &buffer) }
        table.add(
            "the same after other work emptied the caches", cold / 1e6, "ms",
            remark: "\(short(cold.median / lines)) ns a line")
        let before = allocations()
        for _ in 0..<10 { registry.render(into: &buffer) }
        table.add("allocations in 10 scrapes of it", Double(allocations() - before), bar: 0)
        guard let gzipBar else { return }
        let page = unsafe buffer.withUnsafeBytes { unsafe [UInt8]($0) }
        let gzip = GzipStream()
        var output: [UInt8] = []
        var length = 0
        let compression = Cost(rounds: rounds / 4) { length = compress(page, gzip, into: &output) }
        table.add(
            "compressing it", compression / 1e6, "ms", bar: gzipBar,
            remark: "to \(length / 1000) kB, \(short(Double(page.count) / compression.median * 1000)) MB/s")
        let allocated = allocations()
        for _ in 0..<3 { length = compress(page, gzip, into: &output) }
        table.add("allocations in 3 compressions", Double(allocations() - allocated), bar: 0)
    }

    /// Compresses a page as one piece. Returns the length of the result; 0 where zlib has no memory.
    private func compress(_ page: [UInt8], _ gzip: GzipStream, into output: inout [UInt8]) -> Int {
        var progress = GzipStream.Progress()
        guard gzip.begin(), gzip.compress(page, &progress, atMost: .max, into: &output) == true else { return 0 }
        return progress.produced
    }
}
