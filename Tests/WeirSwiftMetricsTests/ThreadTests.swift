import CoreMetrics
import Synchronization
import Testing
import WeirMetrics
import WeirSwiftMetrics

/// All of it from many threads at once.
@Suite struct ThreadTests {
    private static let threads = 8

    @Test func `totals are exact for any number of threads`() throws {
        let registry = MetricsRegistry(shardCount: 0)
        let factory = try RegistryMetricsFactory(registry)
        let rounds = 5_000
        onThreads(Self.threads) { thread in
            // Each makes its own objects, of series that all share.
            let counter = CoreMetrics.Counter(label: "count", factory: factory)
            let fractions = FloatingPointCounter(label: "fractions", factory: factory)
            let meter = Meter(label: "meter", factory: factory)
            let timer = Timer(label: "timer", factory: factory)
            for round in 0..<rounds {
                counter.increment()
                fractions.increment(by: 0.000_000_125)
                meter.increment(by: round.isMultiple(of: 2) ? 0.25 : -0.25)
                timer.recordMilliseconds(thread)
            }
        }
        #expect(registry.lines("count") == ["count_total 40000"])
        #expect(registry.lines("fractions") == ["fractions_total 0.005"])
        #expect(registry.lines("meter") == ["meter 0"])
        #expect(registry.lines("timer_seconds_count") == ["timer_seconds_count 40000"])
        #expect(registry.lines("timer_seconds_sum") == ["timer_seconds_sum 140"])
    }

    @Test func `metrics come and go while others count and scrape`() throws {
        let registry = MetricsRegistry(shardCount: 0, retiredSeriesTTL: .zero)
        let factory = try RegistryMetricsFactory(registry)
        let isOver = Atomic<Bool>(false)
        let wrong = Atomic<Int>(0)
        onThreads(Self.threads) { thread in
            let steady = CoreMetrics.Counter(label: "steady", factory: factory)
            if thread == 0 {
                var last: Int64 = 0
                while !isOver.load(ordering: .relaxed) {
                    let line = registry.lines("steady").first ?? ""
                    let value = Int64(line.split(separator: " ").last ?? "") ?? -1
                    if value < last { wrong.add(1, ordering: .relaxed) }
                    last = value
                }
                return
            }
            for round in 0..<400 {
                let passing = CoreMetrics.Counter(
                    label: "passing", dimensions: [("who", "\((thread + round) % 5)")], factory: factory)
                passing.increment()
                steady.increment()
                passing.destroy()
            }
            if thread == 1 { isOver.store(true, ordering: .relaxed) }
        }
        #expect(wrong.load(ordering: .relaxed) == 0)
        #expect(registry.lines("steady") == ["steady_total 2800"])
        #expect(factory.refusedMetrics == 0)
        registry.sweep()
        #expect(registry.lines("passing") == [])
    }
}
