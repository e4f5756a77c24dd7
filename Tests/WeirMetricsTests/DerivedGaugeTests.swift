import Testing
import WeirMetrics

@Suite struct DerivedGaugeTests {
    let registry = MetricsRegistry(shardCount: 2)

    @Test func `a derived gauge is beginnings minus endings`() throws {
        let accepted = try registry.counter(.counter("accepted_total"))
        let closed = try registry.counter(.counter("closed_total"))
        let rejected = try registry.counter(.counter("rejected_total", isExposed: false))
        let active = try registry.derivedGauge(.gauge("active"), beginnings: [accepted], endings: [closed, rejected])
        accepted.add(10, shard: 0)
        closed.add(3, shard: 1)
        rejected.add(2)
        #expect(registry.lines() == ["accepted_total 10", "closed_total 3", "active 5"])
        #expect(active.value == 5)
    }

    @Test func `a chain of derived gauges is put into an order that serves both`() throws {
        let first = try registry.counter(.counter("a_total"))
        let second = try registry.counter(.counter("b_total"))
        let third = try registry.counter(.counter("c_total"))
        _ = try registry.derivedGauge(.gauge("g"), beginnings: [first], endings: [second])
        // c must be read before b, which stands before a already.
        _ = try registry.derivedGauge(.gauge("h"), beginnings: [second], endings: [third])
        first.add(5, shard: 0)
        second.add(3, shard: 0)
        third.add(1, shard: 0)
        #expect(registry.lines().suffix(2) == ["g 2", "h 2"])
        #expect(throws: RegistrationError.cyclicDerivation(metric: "i")) {
            try registry.derivedGauge(.gauge("i"), beginnings: [third], endings: [first])
        }
        #expect(registry.lines().count == 5)
    }

    @Test func `a counter that is not registered cannot be derived from`() throws {
        let foreign = try MetricsRegistry(shardCount: 2).counter(.counter("a_total"))
        #expect(throws: RegistrationError.unknownCounter(metric: "g")) {
            try registry.derivedGauge(.gauge("g"), beginnings: [foreign], endings: [])
        }
    }

    @Test func `the same derivation gives the same gauge and another one is refused`() throws {
        let begun = try registry.counter(.counter("a_total"))
        let ended = try registry.counter(.counter("b_total"))
        let first = try registry.derivedGauge(.gauge("g"), beginnings: [begun], endings: [ended])
        let second = try registry.derivedGauge(.gauge("g"), beginnings: [begun], endings: [ended])
        #expect(first.seriesID == second.seriesID)
        #expect(throws: RegistrationError.derivationMismatch(metric: "g")) {
            try registry.derivedGauge(.gauge("g"), beginnings: [begun], endings: [])
        }
        #expect(throws: RegistrationError.derivationMismatch(metric: "g")) { try registry.gauge(.gauge("g")) }
    }
}
