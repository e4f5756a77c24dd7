import TestSupport
import Testing

@testable import WeirMetrics

@Suite struct AllocationTests {
    @Test func `a scrape in the steady state keeps its memory`() throws {
        let registry = MetricsRegistry(lanes: 2)
        for index in 0..<500 {
            let labels = ["route-\(index)"]
            let begun = try registry.counter(.counter("a_total", labels: ["route"]), labels: labels)
            let ended = try registry.counter(.counter("b_total", labels: ["route"]), labels: labels)
            _ = try registry.derivedGauge(
                .gauge("c", labels: ["route"]), labels: labels, beginnings: [begun], endings: [ended])
            _ = try registry.histogram(.seconds("d", buckets: [1, 2], labels: ["route"]), labels: labels)
            begun.add(1 << 40)
        }
        var buffer = ScrapeBuffer()
        registry.render(into: &buffer)
        #expect(buffer.seriesLines == 500 * 8)
        let (page, capacity) = (buffer.text, buffer.output.capacity)
        // Other tests run at the same time and allocate, so take the quietest of many single scrapes.
        var smallest = Int.max
        for _ in 0..<200 {
            let before = heapBytesInUse()
            registry.render(into: &buffer)
            smallest = min(smallest, abs(heapBytesInUse() - before))
        }
        #expect(smallest == 0)
        #expect(buffer.output.capacity == capacity)
        #expect(buffer.text == page)
    }
}
