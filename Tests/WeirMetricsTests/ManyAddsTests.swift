import Synchronization
import Testing
import WeirMetrics

import func TestSupport.fuzzRounds

@Suite struct ManyAddsTests {
    /// 100 million with `WEIR_LONG_TESTS`.
    private static let adds = fuzzRounds(1) > 1 ? 100_000_000 : 4_000_000
    private static let threads = 8

    @Test func `eight threads lose no add, and every page meanwhile is monotonic and holds the identity`() throws {
        // Six threads have shards, two are foreign.
        let registry = MetricsRegistry(shardCount: Self.threads - 2)
        let accepted = try registry.counter(.counter("accepted_total"))
        let closed = try registry.counter(.counter("closed_total"))
        let rejected = try registry.counter(.counter("rejected_total"))
        _ = try registry.derivedGauge(.gauge("active"), beginnings: [accepted], endings: [closed, rejected])
        let running = Atomic<Int>(Self.threads)
        onThreads(Self.threads + 1) { index in
            guard index < Self.threads else {
                var watch = Watch()
                repeat {
                    watch.look(at: registry)
                } while running.load(ordering: .acquiring) > 0
                #expect(watch.breaches == 0)
                return
            }
            // A quarter of the accepted is rejected, a quarter closed, and half stays open.
            for _ in 0..<(Self.adds / Self.threads / 6) {
                if index < registry.shardCount {
                    for _ in 0..<4 { accepted.add(shard: index) }
                    rejected.add(shard: index)
                    closed.add(shard: index)
                } else {
                    for _ in 0..<4 { accepted.add() }
                    rejected.add()
                    closed.add()
                }
            }
            running.wrappingSubtract(1, ordering: .releasing)
        }
        let each = UInt64(Self.adds / Self.threads / 6 * Self.threads)
        #expect(accepted.value == 4 * each)
        #expect(rejected.value == each && closed.value == each)
        var watch = Watch()
        watch.look(at: registry)
        #expect(watch.last == [4 * each, each, each, 2 * each])
    }

    /// Compares pages with the ones before.
    private struct Watch: ~Copyable {
        private var buffer = ScrapeBuffer()
        private(set) var last: [UInt64] = [0, 0, 0, 0]
        private(set) var breaches = 0

        mutating func look(at registry: MetricsRegistry) {
            registry.render(into: &buffer)
            let names: [StaticString] = ["accepted_total ", "closed_total ", "rejected_total ", "active "]
            var now: [UInt64] = []
            for name in names { now.append(buffer.value(of: name) ?? .max) }
            // A negative gauge has no digit where one is looked for, and breaks the sum.
            if now[0] != now[1] &+ now[2] &+ now[3] { breaches += 1 }
            if zip(now, last).prefix(3).contains(where: { $0 < $1 }) { breaches += 1 }
            last = now
        }
    }
}
