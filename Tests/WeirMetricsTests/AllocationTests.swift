import TestSupport
import Testing

@testable import WeirMetrics

@Suite struct AllocationTests {
    @Test(arguments: [nil, -2, 3, 8])
    func `an observation keeps the memory`(schema: Int?) throws {
        let registry = MetricsRegistry(shardCount: 1, nativeHistogramSchema: schema)
        let histogram = try registry.histogram(.seconds("d", buckets: [1, 1000, 50_000_000]))
        var smallest = Int.max
        for round in 0..<100 {
            let before = heapBytesInUse()
            for step: UInt64 in 0..<64 {
                histogram.observe(raw: (1 << step) &+ UInt64(round), shard: 0)
                histogram.observe(raw: 1 << step)
            }
            smallest = min(smallest, abs(heapBytesInUse() - before))
        }
        #expect(smallest == 0 && histogram.count == 100 * 128)
    }

    @Test(arguments: ExpositionFormat.allCases, [nil, 3])
    func `a scrape in the steady state keeps its memory`(format: ExpositionFormat, schema: Int?) throws {
        let registry = MetricsRegistry(shardCount: 2, nativeHistogramSchema: schema)
        let routes = schema == nil ? 500 : 50
        for index in 0..<routes {
            let labels = ["route-\(index)"]
            let begun = try registry.counter(.counter("a_total", labels: ["route"]), labels: labels)
            let ended = try registry.counter(.counter("b_total", labels: ["route"]), labels: labels)
            _ = try registry.derivedGauge(
                .gauge("c", labels: ["route"]), labels: labels, beginnings: [begun], endings: [ended])
            let histogram = try registry.histogram(.seconds("d", buckets: [1, 2], labels: ["route"]), labels: labels)
            for shift in 0..<8 { histogram.observe(raw: 1 << (UInt64(shift) * 5), shard: 0) }
            begun.add(1 << 40)
        }
        var buffer = ScrapeBuffer()
        registry.render(into: &buffer, format: format)
        #expect(buffer.seriesLines == routes * 8)
        let (page, capacity) = (buffer.text, buffer.output.capacity)
        // Other tests run at the same time and allocate, so take the quietest of many single scrapes.
        var smallest = Int.max
        for _ in 0..<100 {
            let before = heapBytesInUse()
            registry.render(into: &buffer, format: format)
            smallest = min(smallest, abs(heapBytesInUse() - before))
        }
        #expect(smallest == 0)
        #expect(buffer.output.capacity == capacity)
        #expect(buffer.text == page)
    }
}
