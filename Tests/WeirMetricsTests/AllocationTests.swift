import Glibc
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
            let before = bytesInUse()
            registry.render(into: &buffer)
            smallest = min(smallest, abs(bytesInUse() - before))
        }
        #expect(smallest == 0)
        #expect(buffer.output.capacity == capacity)
        #expect(buffer.text == page)
    }
}

/// `mallinfo2().uordblks`, bytes that the program holds. Glibc's import hides the function; on x86-64 a struct of this
/// size is returned through a pointer in the place of a first argument. Constant elsewhere.
private func bytesInUse() -> Int {
    #if arch(x86_64)
    typealias Call = @convention(c) (UnsafeMutableRawPointer) -> UnsafeMutableRawPointer
    guard let symbol = dlsym(nil, "mallinfo2") else { return 0 }
    return withUnsafeTemporaryAllocation(byteCount: 80, alignment: 8) { buffer in
        let result = unsafeBitCast(symbol, to: Call.self)(buffer.baseAddress!)
        return result.load(fromByteOffset: 7 * 8, as: Int.self)
    }
    #else
    return 0
    #endif
}
