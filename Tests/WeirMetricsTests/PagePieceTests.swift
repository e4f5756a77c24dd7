import Testing

@testable import WeirMetrics

/// Pages in pieces: together they are the page that is made at once.
@Suite struct PagePieceTests {
    private static let routes = 40
    private let clock = TestClock()
    private let registry: MetricsRegistry
    private let accepted = MetricDescriptor.counter("accepted_total", labels: ["route"])
    private let closed = MetricDescriptor.counter("closed_total", labels: ["reason", "route"])
    private let active = MetricDescriptor.gauge("active", labels: ["route"])
    private let dial = MetricDescriptor.seconds("dial_seconds", buckets: [1, 2, 4, 1000], labels: ["route"])

    init() throws {
        let time = clock
        registry = MetricsRegistry(shardCount: 1, nativeHistogramSchema: 2, clock: time.reading)
        try registry.declare(.gauge("empty"))
        for route in 0..<Self.routes { _ = try add("route \(route)") }
        try registry.gauge(.gauge("files")).set(7)
    }

    private func add(_ route: String) throws -> SeriesGroup {
        let group = registry.group()
        let accepted = try group.counter(accepted, labels: [route])
        let closed = try group.counter(closed, labels: ["eof", route])
        _ = try group.derivedGauge(active, labels: [route], beginnings: [accepted], endings: [closed])
        let dial = try group.histogram(dial, labels: [route])
        accepted.add(5, shard: 0)
        closed.add(3, shard: 0)
        dial.observe(raw: 3_000_000_000, shard: 0)
        return group
    }

    private static let filters: [PageFilter?] = [
        nil, PageFilter(names: ["*total", "files"]), PageFilter(labels: ["route": ["route 3", "route 39"]]),
    ]

    /// The page in pieces of so much work, and how many there were.
    private func pieces(
        _ format: ExpositionFormat, _ filter: PageFilter?, work: Int, between: (Int) throws -> Void = { _ in }
    ) throws -> (bytes: [UInt8], lines: Int, count: Int) {
        var buffer = ScrapeBuffer()
        registry.beginPage(in: &buffer, format: format, filter: filter)
        var bytes: [UInt8] = []
        var count = 0
        var isComplete = false
        while !isComplete {
            isComplete = registry.renderPiece(into: &buffer, work: work)
            bytes += unsafe buffer.withUnsafeBytes { unsafe Array($0) }
            count += 1
            try between(count)
        }
        return (bytes, buffer.seriesLines, count)
    }

    private static let formats: [ExpositionFormat] = [.text004, .openMetrics100, .delimitedProtobuf]

    @Test(arguments: formats, [1, 7, 100, 1000, .max])
    func `pieces together are the page, in every format and with filters`(format: ExpositionFormat, work: Int) throws {
        for filter in Self.filters {
            var buffer = ScrapeBuffer()
            let lines = registry.render(into: &buffer, format: format, filter: filter)
            let whole = unsafe buffer.withUnsafeBytes { unsafe Array($0) }
            let pieces = try pieces(format, filter, work: work)
            #expect(pieces.bytes == whole)
            #expect(pieces.lines == lines)
            if work == 1 { #expect(pieces.count > Self.routes) }
            if work == .max { #expect(pieces.count == 1) }
        }
    }

    @Test(arguments: formats)
    func `series that come and go between pieces change nothing`(format: ExpositionFormat) throws {
        var groups = try (0..<20).map { try add("leaving \($0)") }
        for filter in Self.filters {
            let whole = try pieces(format, filter, work: .max).bytes
            var number = 0
            let changed = try pieces(format, filter, work: 50) { _ in
                number += 1
                clock.advance(seconds: 200)
                if let group = groups.popLast() { group.retire() }
                groups.insert(try add("coming \(filter.hashValue) \(number)"), at: 0)
                registry.acknowledge(shard: 0)
                registry.sweep()
            }
            #expect(changed.bytes == whole)
            #expect(changed.count > 4)
        }
    }

    @Test func `a page that is given up, or whose buffer goes, keeps nothing back`() throws {
        for drops in [true, false] {
            let old = try registry.counter(accepted, labels: ["old"])
            do {
                var buffer = ScrapeBuffer()
                registry.beginPage(in: &buffer, format: .text004)
                _ = registry.renderPiece(into: &buffer, work: 1)
                #expect(registry.readers.oldestRunning != ScrapeReaders.Slot.idle)
                registry.retire(old)
                clock.advance(seconds: 301)
                registry.acknowledge(shard: 0)
                let second = try registry.counter(accepted, labels: ["second \(drops)"])
                #expect(!second.cells.isSame(as: old.cells))
                if drops {
                    buffer.dropPage()
                    #expect(registry.readers.oldestRunning == ScrapeReaders.Slot.idle)
                    #expect(registry.renderPiece(into: &buffer, work: 1))
                }
            }
            #expect(registry.readers.oldestRunning == ScrapeReaders.Slot.idle)
            let third = try registry.counter(accepted, labels: ["third \(drops)"])
            #expect(third.cells.isSame(as: old.cells))
        }
    }
}
