import Synchronization
import TestSupport
import Testing
import Threading

@testable import WeirMetrics

@Suite struct ChurnTests {
    private static let isLong = fuzzRounds(1) > 1
    private let clock = TestClock()
    private let registry: MetricsRegistry

    init() {
        registry = MetricsRegistry(shardCount: 2, retiredSeriesTTL: .seconds(300), clock: clock.reading)
    }

    @Test func `routes that come and go leave the memory flat and nothing on the page`() throws {
        let (routes, rounds) = Self.isLong ? (10_000, 100) : (200, 30)
        let linesPerRoute = 10
        var cells: Set<Int> = []
        var records: Set<Int> = []
        var heap: [Int] = []
        var buffer = ScrapeBuffer()
        for round in 0..<rounds {
            do {
                // New names in every round, all of one length.
                let groups = try (0..<routes).map { try register("route-\(10_000_000 + routes * round + $0)") }
                #expect(registry.render(into: &buffer) == routes * linesPerRoute)
                groups.forEach { $0.retire() }
            }
            // Still there for those who scrape late, but for the gauge, and then gone.
            clock.advance(seconds: 299)
            #expect(registry.render(into: &buffer) == routes * (linesPerRoute - 1))
            clock.advance(seconds: 1)
            #expect(registry.render(into: &buffer) == 0)
            for shard in 0..<2 { registry.acknowledge(shard: shard) }
            registry.sweep()
            cells.insert(registry.allocatedCellBytes)
            records.insert(registry.allocatedRecordBytes)
            heap.append(heapBytesInUse())
        }
        #expect(cells.count == 1)
        #expect(records.count == 1)
        // The first rounds find out how large tables and buffers must be.
        let (early, late) = (heap[2..<(rounds / 2)].min() ?? 0, heap[(rounds / 2)...].min() ?? 0)
        #expect(late < early + 64 * 1024, "bytes in use: \(heap)")
    }

    @Test func `names of another length in every round take their memory once`() throws {
        var records: [Int] = []
        for round in 0..<120 {
            let name = String(repeating: "x", count: 1 + (round * 7) % 60)
            let groups = try (0..<50).map { try register("\(name)-\($0)") }
            #expect(registry.lines().count == 500)
            groups.forEach { $0.retire() }
            clock.advance(seconds: 301)
            for shard in 0..<2 { registry.acknowledge(shard: shard) }
            registry.sweep()
            records.append(registry.allocatedRecordBytes)
        }
        // After 60 rounds every length has been there.
        #expect(records[119] == records[59])
        #expect(registry.page().isEmpty)
    }

    @Test func `the increase that a scraper computes is what was counted, over a route that goes and comes back`()
        throws
    {
        let descriptor = MetricDescriptor.counter("bytes_total", labels: ["route"])
        var scraped: [UInt64?] = []
        var buffer = ScrapeBuffer()
        func scrape() {
            clock.advance(seconds: 15)
            registry.render(into: &buffer)
            scraped.append(buffer.value(of: "bytes_total{route=\"ssh\"} "))
        }
        var counted: UInt64 = 0
        for (life, pause) in [(3, 2), (5, 19), (4, 21), (6, 40), (2, 1), (3, 0)] {
            let group = registry.group()
            let counter = try group.counter(descriptor, labels: ["ssh"])
            scrape()
            for step in 0..<life {
                counter.add(UInt64(step + life), shard: step % 2)
                counter.add(3)
                counted += UInt64(step + life + 3)
                scrape()
            }
            group.retire()
            // 300 s are 20 scrapes: the shorter pauses are in time, the longer ones too late.
            for _ in 0..<pause { scrape() }
        }
        #expect(scraped.contains(nil))
        // As Prometheus computes increase(): a value below the one before is a counter that began anew at zero.
        let values = scraped.compactMap(\.self)
        let increase = zip(values, values.dropFirst()).reduce(UInt64(0)) { sum, pair in
            sum + (pair.1 >= pair.0 ? pair.1 - pair.0 : pair.1)
        }
        #expect(increase == counted)
    }

    @Test func `what workers still write after a retirement reaches no other series`() throws {
        let registry = MetricsRegistry(shardCount: 2, retiredSeriesTTL: .zero)
        let buckets = (1...100).map { UInt64($0) }
        let oneChunk = registry.allocatedCellBytes
        let lives = 120
        // What is counted for each life, announced before it is counted.
        let announced = (0..<lives).map { _ in Announcements() }
        let turns = [Announcements(), Announcements()]
        let current = Lock<(life: Int, counter: Counter, histogram: Histogram)?>(nil)
        let isOver = Atomic<Bool>(false)
        @Sendable func bothTurn() throws {
            let seen = turns.map(\.count)
            try waitUntil("both workers have turned twice") { zip(turns, seen).allSatisfy { $0.count > $1 + 1 } }
        }
        onThreads(3) { index in
            guard index == 2 else {
                while !isOver.load(ordering: .acquiring) {
                    // A turn: the handles are taken once and used until it ends, whatever becomes of their route.
                    if let (life, counter, histogram) = current.withLock({ $0 }) {
                        for value in 0..<200 {
                            announced[life].add()
                            counter.add(shard: index)
                            histogram.observe(raw: UInt64(value), shard: index)
                        }
                    }
                    registry.acknowledge(shard: index)
                    turns[index].add()
                }
                return
            }
            defer { isOver.store(true, ordering: .releasing) }
            for life in 0..<lives {
                let group = registry.group()
                let labels = ["\(life)"]
                let counter = try group.counter(.counter("routed_total", labels: ["route"]), labels: labels)
                let histogram = try group.histogram(.seconds("h", buckets: buckets, labels: ["route"]), labels: labels)
                #expect(counter.value == 0 && histogram.count == 0 && histogram.sum == 0)
                current.withLock { $0 = (life, counter, histogram) }
                try bothTurn()
                current.withLock { $0 = nil }
                // Every other route goes while the workers are in the middle of a turn; what they have done to the one
                // before it must not be found in this one.
                if life % 2 == 1 {
                    try bothTurn()
                    #expect(counter.value == announced[life].count)
                    #expect(histogram.count == announced[life].count)
                }
                group.retire()
            }
        }
        // 120 lives of 103 cells in the room of ten: the cells were used again.
        #expect(registry.allocatedCellBytes == oneChunk)
    }

    private func register(_ route: String) throws -> SeriesGroup {
        let group = registry.group()
        let labels = [route]
        let begun = try group.counter(.counter("begun_total", labels: ["route"]), labels: labels)
        let ended = try group.counter(.counter("ended_total", labels: ["route"]), labels: labels)
        _ = try group.derivedGauge(
            .gauge("active", labels: ["route"]), labels: labels, beginnings: [begun], endings: [ended])
        let histogram = try group.histogram(.seconds("h", buckets: [1, 2, 3], labels: ["route"]), labels: labels)
        let limit = try group.gauge(.gauge("limit", labels: ["route"]), labels: labels)
        // Nothing of what had these cells before.
        #expect(begun.value == 0 && ended.value == 0 && histogram.count == 0 && histogram.sum == 0 && limit.value == 0)
        begun.add(2, shard: 0)
        ended.add(1, shard: 1)
        histogram.observe(raw: 2, shard: 1)
        limit.set(7)
        return group
    }
}

/// The number of increments that threads have announced.
private final class Announcements: Sendable {
    private let atomic = Atomic<UInt64>(0)

    var count: UInt64 { atomic.load(ordering: .sequentiallyConsistent) }

    func add() {
        atomic.wrappingAdd(1, ordering: .sequentiallyConsistent)
    }
}
