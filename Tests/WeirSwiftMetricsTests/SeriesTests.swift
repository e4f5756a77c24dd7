import CoreMetrics
import Synchronization
import Testing
import WeirMetrics
import WeirSwiftMetrics

/// Which metrics share a series, which are refused, and when a series leaves.
@Suite struct SeriesTests {
    let refusals = Refusals()

    /// A registry whose retired series stay for a second of a clock that stands.
    private func makeRegistry(maxSeries: Int = 1000) -> (MetricsRegistry, ManualClock) {
        let clock = ManualClock()
        let registry = MetricsRegistry(
            shardCount: 0, maxSeries: maxSeries, retiredSeriesTTL: .seconds(1), clock: { clock.now })
        return (registry, clock)
    }

    @Test func `the same label and dimensions are one series, in any order`() throws {
        let (registry, _) = makeRegistry()
        let factory = try RegistryMetricsFactory(registry)
        let first = factory.makeCounter(label: "a.b", dimensions: [("x", "1"), ("y", "2")])
        #expect(first === factory.makeCounter(label: "a_b", dimensions: [("y", "2"), ("x", "1")]))
        first.increment(by: 1)
        factory.makeCounter(label: "a.b", dimensions: [("x", "1"), ("y", "3")]).increment(by: 2)
        #expect(registry.lines() == [#"a_b_total{x="1",y="2"} 1"#, #"a_b_total{x="1",y="3"} 2"#])
    }

    @Test func `dimensions that are missing are empty, and those that came later are refused`() throws {
        let (registry, _) = makeRegistry()
        let factory = try RegistryMetricsFactory(
            registry, options: refusals.options { $0.dimensions = ["jobs": ["queue", "state"]] })
        CoreMetrics.Counter(label: "jobs", dimensions: [("queue", "mail")], factory: factory).increment()
        CoreMetrics.Counter(label: "jobs", factory: factory).increment()
        CoreMetrics.Counter(label: "jobs", dimensions: [("state", "done")], factory: factory).increment()
        CoreMetrics.Counter(label: "jobs", dimensions: [("user", "7")], factory: factory).increment()
        #expect(
            registry.lines() == [
                #"jobs_total{queue="",state=""} 1"#, #"jobs_total{queue="",state="done"} 1"#,
                #"jobs_total{queue="mail",state=""} 1"#,
            ])
        #expect(refusals.all == [.unknownDimension(metric: "jobs_total", dimension: "user")])
        #expect(factory.refusedMetrics == 1)
    }

    @Test func `a name belongs to the instrument that had it first`() throws {
        let (registry, _) = makeRegistry()
        let factory = try RegistryMetricsFactory(registry, options: refusals.options())
        _ = try registry.gauge(MetricDescriptor(name: "own", help: "The program's own.", kind: .gauge))
        Meter(label: "size", factory: factory).set(1)
        Recorder(label: "size", factory: factory).record(2)
        Recorder(label: "own", factory: factory).record(3)
        _ = CoreMetrics.Counter(label: "n", factory: factory)
        _ = FloatingPointCounter(label: "n", factory: factory)
        // In OpenMetrics the family of n_total is called n.
        Meter(label: "n", factory: factory).set(4)
        #expect(registry.lines() == ["n_total 0", "own 0", "size 1"])
        #expect(
            refusals.all == [
                .anotherInstrument(metric: "size"), .registration(.descriptorMismatch(metric: "own", .kind)),
                .anotherInstrument(metric: "n_total"), .registration(.nameTaken(metric: "n", name: "n")),
            ])
    }

    @Test func `dimensions without bound end at the registry's limit, seen and counted`() throws {
        let (registry, _) = makeRegistry(maxSeries: 12)
        let factory = try RegistryMetricsFactory(registry, options: refusals.options())
        for user in 0..<1_000 {
            CoreMetrics.Counter(label: "visits", dimensions: [("user", "\(user)")], factory: factory).increment()
        }
        #expect(registry.lines().count == 10)
        #expect(registry.droppedSeries == 990)
        #expect(factory.refusedMetrics == 990)
        #expect(refusals.all.last == .registration(.seriesLimitReached(metric: "visits_total", limit: 12)))
        // Those that are there go on.
        CoreMetrics.Counter(label: "visits", dimensions: [("user", "3")], factory: factory).increment()
        #expect(registry.lines(#"visits_total{user="3"}"#) == [#"visits_total{user="3"} 2"#])
    }

    @Test func `labels without bound end at the factory's limit`() throws {
        let (registry, _) = makeRegistry()
        let factory = try RegistryMetricsFactory(registry, options: refusals.options { $0.maxNames = 3 })
        for number in 0..<5 { Meter(label: "meter \(number)", factory: factory).set(1) }
        #expect(registry.lines().count == 3)
        #expect(refusals.all.count == 2)
        #expect(refusals.all.last == .tooManyNames(metric: "meter_4", limit: 3))
    }

    @Test func `labels without bound end at the factory's limit on a full page, too`() throws {
        let (registry, _) = makeRegistry(maxSeries: 2)
        let factory = try RegistryMetricsFactory(registry, options: refusals.options { $0.maxNames = 3 })
        for number in 0..<5 { Meter(label: "meter \(number)", factory: factory).set(1) }
        #expect(registry.lines() == [])
        #expect(
            refusals.all.suffix(3) == [
                .registration(.seriesLimitReached(metric: "meter_2", limit: 2)),
                .tooManyNames(metric: "meter_3", limit: 3), .tooManyNames(metric: "meter_4", limit: 3),
            ])
    }

    @Test func `a metric that is destroyed stays for its time, goes, and begins at zero when it comes back`() throws {
        let (registry, clock) = makeRegistry()
        let factory = try RegistryMetricsFactory(registry)
        var counter: CoreMetrics.Counter? = CoreMetrics.Counter(label: "visits", factory: factory)
        counter?.increment(by: 5)
        counter?.destroy()
        clock.advance(seconds: 2)
        #expect(registry.lines() == ["visits_total 5"], "the program still holds it")
        counter = nil
        #expect(registry.lines() == ["visits_total 5"])
        clock.advance(seconds: 2)
        #expect(registry.lines() == [])
        registry.sweep()
        _ = CoreMetrics.Counter(label: "visits", factory: factory)
        #expect(registry.lines() == ["visits_total 0"])
    }

    @Test func `a metric that comes back in time goes on counting`() throws {
        let (registry, clock) = makeRegistry()
        let factory = try RegistryMetricsFactory(registry)
        func use() {
            let counter = CoreMetrics.Counter(label: "visits", factory: factory)
            counter.increment(by: 5)
            counter.destroy()
        }
        use()
        use()
        clock.advance(seconds: 2)
        #expect(registry.lines() == [])
        use()
        #expect(registry.lines() == ["visits_total 5"])
    }

    @Test func `what a handler counts late never lands in another series`() throws {
        let (registry, clock) = makeRegistry()
        let factory = try RegistryMetricsFactory(registry)
        let late = factory.makeCounter(label: "late", dimensions: [])
        factory.destroyCounter(late)
        // A second one of the same name, while the first is still held: both are one series.
        let second = factory.makeCounter(label: "late", dimensions: [])
        factory.destroyCounter(second)
        for round in 0..<20 {
            clock.advance(seconds: 2)
            registry.sweep()
            CoreMetrics.Counter(label: "other \(round)", factory: factory).increment()
            late.increment(by: 1_000)
        }
        #expect(registry.lines("other").allSatisfy { $0.hasSuffix(" 1") })
        #expect(registry.lines("late") == ["late_total 20000"])
    }

    @Test func `of two owners of a series each may be destroyed alone`() throws {
        let (registry, clock) = makeRegistry()
        let factory = try RegistryMetricsFactory(registry)
        let own = try registry.counter(
            MetricDescriptor(name: "visits_total", help: "visits, from swift-metrics.", kind: .counter))
        let bridged = factory.makeCounter(label: "visits", dimensions: [])
        own.add(1)
        bridged.increment(by: 1)
        factory.destroyCounter(bridged)
        clock.advance(seconds: 2)
        #expect(registry.lines() == ["visits_total 2"])
    }

    @Test func `a handler of another factory is not touched`() throws {
        let (registry, _) = makeRegistry()
        let factory = try RegistryMetricsFactory(registry)
        let counter = factory.makeCounter(label: "visits", dimensions: [])
        factory.destroyCounter(NOOPMetricsHandler.instance)
        try RegistryMetricsFactory(registry).destroyCounter(counter)
        #expect(factory.makeCounter(label: "visits", dimensions: []) === counter)
    }
}

/// A clock that stands still until a test moves it.
final class ManualClock: Sendable {
    private let nanoseconds = Atomic<UInt64>(1)

    var now: UInt64 { nanoseconds.load(ordering: .sequentiallyConsistent) }

    func advance(seconds: UInt64) {
        nanoseconds.wrappingAdd(seconds * 1_000_000_000, ordering: .sequentiallyConsistent)
    }
}
