import Testing

@testable import WeirMetrics

@Suite struct RetirementTests {
    let clock = TestClock()
    let registry: MetricsRegistry

    init() {
        registry = MetricsRegistry(shardCount: 2, retiredSeriesTTL: .seconds(300), clock: clock.reading)
    }

    private let descriptor = MetricDescriptor.counter("a_total", labels: ["route"])

    @Test func `a retired series stays on the page until its time is over`() throws {
        let counter = try registry.counter(descriptor, labels: ["ssh"])
        counter.add(7, shard: 0)
        registry.retire(counter)
        clock.advance(seconds: 299)
        #expect(registry.lines() == ["a_total{route=\"ssh\"} 7"])
        clock.advance(seconds: 1)
        #expect(registry.page().isEmpty)
    }

    @Test func `a series that returns in time goes on counting`() throws {
        let first = try registry.counter(descriptor, labels: ["ssh"])
        first.add(7, shard: 0)
        registry.retire(first)
        clock.advance(seconds: 299)
        let second = try registry.counter(descriptor, labels: ["ssh"])
        second.add(1, shard: 1)
        clock.advance(seconds: 1000)
        #expect(registry.lines() == ["a_total{route=\"ssh\"} 8"])
    }

    @Test func `a series that returns too late begins at zero`() throws {
        let first = try registry.counter(descriptor, labels: ["ssh"])
        first.add(7, shard: 0)
        registry.retire(first)
        clock.advance(seconds: 300)
        let second = try registry.counter(descriptor, labels: ["ssh"])
        #expect(registry.lines() == ["a_total{route=\"ssh\"} 0"])
        second.add(1, shard: 1)
        #expect(registry.lines() == ["a_total{route=\"ssh\"} 1"])
    }

    @Test func `gauges of a group leave the page at once, and come back as new ones`() throws {
        let (one, two) = (registry.group(), registry.group())
        let state = MetricDescriptor.gauge("up", labels: ["route"])
        try one.counter(descriptor, labels: ["ssh"]).add(7, shard: 0)
        try one.gauge(state, labels: ["ssh"]).set(1)
        try one.gauge(state, labels: ["web"]).set(1)
        _ = try two.gauge(state, labels: ["web"])
        one.retire()
        #expect(registry.lines() == ["a_total{route=\"ssh\"} 7", "up{route=\"web\"} 1"])
        _ = try two.gauge(state, labels: ["ssh"])
        #expect(registry.lines().contains("up{route=\"ssh\"} 0"))
        two.retire()
        #expect(registry.lines() == ["a_total{route=\"ssh\"} 7"])
        clock.advance(seconds: 300)
        #expect(registry.page().isEmpty)
    }

    @Test func `two owners retire independently`() throws {
        let (one, two) = (registry.group(), registry.group())
        let counter = try one.counter(descriptor, labels: ["ssh"])
        _ = try two.counter(descriptor, labels: ["ssh"])
        one.retire()
        one.retire()
        clock.advance(seconds: 301)
        #expect(registry.lines().count == 1)
        two.retire()
        clock.advance(seconds: 301)
        #expect(registry.lines().isEmpty)
        _ = counter
    }

    @Test func `a group without references retires by itself`() throws {
        do { _ = try registry.group().counter(descriptor, labels: ["ssh"]) }
        clock.advance(seconds: 301)
        #expect(registry.lines().isEmpty)
    }

    @Test func `cells are reused only after every shard has acknowledged`() throws {
        let old = try registry.counter(descriptor, labels: ["old"])
        registry.retire(old)
        clock.advance(seconds: 301)
        registry.acknowledge(shard: 0)
        let second = try registry.counter(descriptor, labels: ["second"])
        old.add(1000, shard: 1)
        #expect(second.value == 0)
        registry.acknowledge(shard: 1)
        let third = try registry.counter(descriptor, labels: ["third"])
        #expect(third.cells.isSame(as: old.cells))
        #expect(third.value == 0)
        #expect(registry.lines() == ["a_total{route=\"second\"} 0", "a_total{route=\"third\"} 0"])
    }

    @Test func `an acknowledgement from before the retirement does not count`() throws {
        let old = try registry.counter(descriptor, labels: ["old"])
        registry.acknowledge(shard: 0)
        registry.acknowledge(shard: 1)
        registry.retire(old)
        clock.advance(seconds: 301)
        let second = try registry.counter(descriptor, labels: ["second"])
        #expect(!second.cells.isSame(as: old.cells))
    }

    @Test func `a scrape that is under way holds back what it may still read`() throws {
        let old = try registry.counter(descriptor, labels: ["old"])
        let slot = registry.readers.take()
        registry.readers.enter(slot)
        registry.retire(old)
        clock.advance(seconds: 301)
        registry.acknowledge(shard: 0)
        registry.acknowledge(shard: 1)
        let second = try registry.counter(descriptor, labels: ["second"])
        #expect(!second.cells.isSame(as: old.cells))
        ScrapeReaders.leave(slot)
        let third = try registry.counter(descriptor, labels: ["third"])
        #expect(third.cells.isSame(as: old.cells))
    }

    @Test func `a derived gauge keeps its counters, and the whole leaves together`() throws {
        let group = registry.group()
        let begun = try group.counter(.counter("begun_total"))
        let ended = try registry.counter(.counter("ended_total"))
        _ = try group.derivedGauge(.gauge("active"), beginnings: [begun], endings: [ended])
        begun.add(3, shard: 0)
        registry.retire(ended)
        clock.advance(seconds: 1000)
        #expect(registry.lines() == ["begun_total 3", "ended_total 0", "active 3"])
        group.retire()
        clock.advance(seconds: 299)
        let again = registry.group()
        let sameBegun = try again.counter(.counter("begun_total"))
        let sameEnded = try again.counter(.counter("ended_total"))
        _ = try again.derivedGauge(.gauge("active"), beginnings: [sameBegun], endings: [sameEnded])
        sameEnded.add(1, shard: 1)
        #expect(registry.lines() == ["begun_total 3", "ended_total 1", "active 2"])
        again.retire()
        clock.advance(seconds: 300)
        #expect(registry.lines().isEmpty)
    }
}

extension ShardCells {
    func isSame(as other: ShardCells) -> Bool {
        shared == other.shared
    }
}
