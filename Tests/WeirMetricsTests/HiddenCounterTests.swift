import Testing

@testable import WeirMetrics

@Suite struct HiddenCounterTests {
    let clock = TestClock()
    let registry: MetricsRegistry
    private let rejected = MetricDescriptor.counter("rejected_total", labels: ["reason"])

    init() {
        registry = MetricsRegistry(shardCount: 2, maxSeries: 4, retiredSeriesTTL: .seconds(300), clock: clock.reading)
    }

    @Test func `a hidden counter is on no page, feeds its gauge, and appears when it is registered openly`() throws {
        let begun = try registry.counter(.counter("a_total"))
        let full = try registry.counter(rejected, labels: ["full"])
        let late = try registry.counter(rejected, labels: ["late"], isHidden: true)
        let first = try registry.derivedGauge(.gauge("g"), beginnings: [begun], endings: [full, late])
        begun.add(5, shard: 0)
        full.add(1, shard: 0)
        #expect(registry.lines() == ["a_total 5", "rejected_total{reason=\"full\"} 1", "g 4"])
        // The same gauge: the counters behind it are the same.
        let shown = try registry.counter(rejected, labels: ["late"])
        let second = try registry.derivedGauge(.gauge("g"), beginnings: [begun], endings: [full, shown])
        #expect(first.seriesID == second.seriesID)
        #expect(
            registry.lines() == [
                "a_total 5", "rejected_total{reason=\"full\"} 1", "rejected_total{reason=\"late\"} 0", "g 4",
            ])
        shown.add(2, shard: 1)
        late.add(1, shard: 1)
        #expect(registry.lines().suffix(2) == ["rejected_total{reason=\"late\"} 3", "g 1"])
        // What was shown stays: its count is part of a sum that is still there.
        _ = try registry.counter(rejected, labels: ["late"], isHidden: true)
        registry.retire(shown)
        clock.advance(seconds: 301)
        #expect(registry.lines().count == 4)
    }

    @Test func `hidden counters take no room until they are shown`() throws {
        for reason in ["a", "b", "c", "d", "e"] { _ = try registry.counter(rejected, labels: [reason], isHidden: true) }
        for reason in ["a", "b", "c", "d"] { _ = try registry.counter(rejected, labels: [reason]) }
        #expect(throws: RegistrationError.seriesLimitReached(metric: "rejected_total", limit: 4)) {
            try registry.counter(rejected, labels: ["e"])
        }
        #expect(registry.lines().count == 4)
    }

    @Test func `a hidden counter that retires leaves nothing behind`() throws {
        let hidden = try registry.counter(rejected, labels: ["a"], isHidden: true)
        hidden.add(3, shard: 0)
        registry.retire(hidden)
        clock.advance(seconds: 301)
        registry.sweep()
        let again = try registry.counter(rejected, labels: ["a"])
        #expect(registry.lines() == ["rejected_total{reason=\"a\"} 0"])
        withExtendedLifetime(again) {}
    }
}
