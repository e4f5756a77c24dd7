import CMeasures
import WeirMetrics

/// Measures the cost of one update for the thread that makes it.
struct Updates {
    let rounds: Int
    let operations: Int

    func measure(into table: inout Table) throws {
        let registry = MetricsRegistry(shardCount: 2)
        let counters = try (0..<8).map { try registry.counter(Self.counter, labels: ["\($0)"]) }
        let histogram = try registry.histogram(Self.histogram)
        let one = counters[0]
        let word = UnsafeMutablePointer<UInt64>.allocate(capacity: 1)
        word.initialize(to: 0)
        defer { word.deallocate() }
        let floor = single { weir_add_in_memory(word, UInt64($0)) }
        let again = single { Self.add(one, $0) }
        table.add("eight counters in turn, add in the worker's shard", single { Self.add(counters, $0) }, "ns", bar: 1)
        table.add(
            "the same by two workers", together { count, shard in Self.add(counters, count, shard: shard) }, "ns",
            bar: 1)
        table.add(
            "one counter, each add waiting for the one before", again, "ns", remark: ratio(again, floor, "`*word += 1`")
        )
        table.add("the same by two workers", together { Self.add(one, $0, shard: $1) }, "ns")
        let locked = single { weir_add_locked(word, UInt64($0)) }
        let shared = single { Self.addShared(one, $0) }
        table.add(
            "one counter, add from a thread without a shard", shared, "ns", bar: 3,
            remark: ratio(shared, locked, "`lock add`"))
        table.add("the same by two threads without a shard", together { count, _ in Self.addShared(one, count) }, "ns")
        table.add("histogram of 12 buckets, observe", single { Self.observe(histogram, $0) }, "ns", bar: 20)
        table.add("the same by two workers", together { Self.observe(histogram, $0, shard: $1) }, "ns", bar: 20)
        let before = allocations()
        Self.add(one, 1000)
        Self.addShared(one, 1000)
        Self.observe(histogram, 1000)
        table.add("allocations in 3,000 updates", Double(allocations() - before), bar: 0)
    }

    private static let counter = MetricDescriptor(name: "c_total", help: "C.", kind: .counter, labelNames: ["l"])
    private static let histogram = MetricDescriptor(
        name: "h_seconds", help: "H.",
        kind: .histogram(buckets: [
            500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 3_000_000, 10_000_000,
        ]),
        scale: .microsecondsAsSeconds)

    private func ratio(_ cost: Cost, _ floor: Cost, _ what: String) -> String {
        "\(short(cost.best / floor.best)) of \(what) in C, which takes \(short(floor.best)) ns here"
    }

    private func single(_ body: (Int) -> Void) -> Cost {
        Cost(rounds: rounds) { body(operations) } / Double(operations)
    }

    /// The slower one of two threads.
    private func together(_ body: @escaping @Sendable (Int, Int) -> Void) -> Cost {
        let operations = operations
        return Cost(
            (0..<rounds).map { _ in
                onThreads(2) { shard in
                    let start = threadNanoseconds()
                    body(operations, shard)
                    return Double(threadNanoseconds() - start) / Double(operations)
                }.max() ?? 0
            })
    }

    @inline(never)
    private static func add(_ counter: Counter, _ count: Int, shard: Int = 0) {
        for _ in 0..<count { counter.add(shard: shard) }
    }

    @inline(never)
    private static func add(_ counters: [Counter], _ count: Int, shard: Int = 0) {
        let (a, b, c, d) = (counters[0], counters[1], counters[2], counters[3])
        let (e, f, g, h) = (counters[4], counters[5], counters[6], counters[7])
        for _ in 0..<(count / 8) {
            a.add(shard: shard)
            b.add(shard: shard)
            c.add(shard: shard)
            d.add(shard: shard)
            e.add(shard: shard)
            f.add(shard: shard)
            g.add(shard: shard)
            h.add(shard: shard)
        }
    }

    @inline(never)
    private static func addShared(_ counter: Counter, _ count: Int) {
        for _ in 0..<count { counter.add() }
    }

    /// Values spread over all buckets, so that no branch can be foreseen.
    @inline(never)
    private static func observe(_ histogram: Histogram, _ count: Int, shard: Int = 0) {
        var seed: UInt64 = 1
        for _ in 0..<count {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            histogram.observe(raw: seed >> (40 + (seed >> 59)), shard: shard)
        }
    }
}
