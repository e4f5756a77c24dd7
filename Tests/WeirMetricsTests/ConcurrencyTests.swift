import Glibc
import Synchronization
import Testing
import WeirMetrics

/// Runs `body` on `count` threads of their own and waits for all.
func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Void) {
    final class Box: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }
    let threads = (0..<count).map { index in
        var thread = pthread_t()
        // Proof: the thread takes the reference back.
        let box = Unmanaged.passRetained(
            Box {
                do {
                    try body(index)
                } catch {
                    Issue.record(error)
                }
            })
        let result = pthread_create(
            &thread, nil,
            { argument in
                // Proof: the one reference that was retained for it.
                Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            }, box.toOpaque())
        precondition(result == 0)
        return thread
    }
    for thread in threads { pthread_join(thread, nil) }
}

@Suite struct ConcurrencyTests {
    /// Values by line prefix.
    private static func values(_ buffer: borrowing ScrapeBuffer) -> [String: Int64] {
        var values: [String: Int64] = [:]
        for line in buffer.text.split(separator: "\n") where !line.hasPrefix("#") {
            let parts = line.split(separator: " ")
            values[String(parts[0])] = Int64(parts[1])
        }
        return values
    }

    @Test func `totals are exact, and every page meanwhile is monotonic and holds the identity`() throws {
        let (shardCount, rounds) = (4, 50_000)
        let registry = MetricsRegistry(shardCount: shardCount)
        let accepted = try registry.counter(.counter("accepted_total"))
        let rejected = try registry.counter(.counter("rejected_total"))
        let closed = try registry.counter(.counter("closed_total"))
        let histogram = try registry.histogram(.seconds("h", buckets: [10, 100]))
        _ = try registry.derivedGauge(.gauge("active"), beginnings: [accepted], endings: [closed, rejected])
        // What begins in a shard ends in the next one, through a hand-over.
        let pending = (0..<shardCount).map { _ in PendingCount() }
        let running = Atomic<Int>(shardCount + 2)
        let scrapes = Atomic<Int>(0)
        onThreads(shardCount + 4) { index in
            if index >= shardCount + 2 {
                var buffer = ScrapeBuffer()
                var last: [String: Int64] = [:]
                while running.load(ordering: .acquiring) > 0 {
                    registry.render(into: &buffer)
                    let now = Self.values(buffer)
                    let ended = now["closed_total"]! + now["rejected_total"]!
                    #expect(now["accepted_total"]! == now["active"]! + ended)
                    #expect(now["active"]! >= 0)
                    #expect(now["h_bucket{le=\"+Inf\"}"] == now["h_count"])
                    for (name, value) in last where name != "active" && name != "h_sum" {
                        #expect(now[name]! >= value)
                    }
                    last = now
                    scrapes.wrappingAdd(1, ordering: .relaxed)
                }
                return
            }
            for round in 0..<rounds {
                if index < shardCount {
                    accepted.add(shard: index)
                    histogram.observe(raw: UInt64(round & 127), shard: index)
                    if round & 7 == 0 {
                        rejected.add(shard: index)
                    } else {
                        pending[(index + 1) % shardCount].give()
                    }
                    if pending[index].take() { closed.add(shard: index) }
                } else {
                    accepted.add()
                    closed.add()
                    histogram.observe(raw: 5)
                }
            }
            running.wrappingSubtract(1, ordering: .releasing)
        }
        let left = pending.reduce(0) { $0 + $1.count }
        #expect(accepted.value == UInt64((shardCount + 2) * rounds))
        #expect(accepted.value == closed.value + rejected.value + UInt64(left))
        #expect(histogram.count == UInt64((shardCount + 2) * rounds))
        #expect(scrapes.load(ordering: .relaxed) > 0)
    }

    @Test func `scrapes go on through registration, retirement and reuse`() throws {
        let clock = TestClock()
        let registry = MetricsRegistry(shardCount: 1, retiredSeriesTTL: .seconds(10), clock: clock.reading)
        let isRunning = Atomic<Bool>(true)
        onThreads(3) { index in
            if index > 0 {
                var buffer = ScrapeBuffer()
                while isRunning.load(ordering: .acquiring) {
                    registry.render(into: &buffer)
                    var begun: [Substring: Int] = [:]
                    var total: [Substring: Int] = [:]
                    for line in buffer.text.split(separator: "\n") where !line.hasPrefix("#") {
                        let parts = line.split(whereSeparator: { $0 == "\"" || $0 == " " })
                        let value = Int(parts[3])!
                        if parts[0].hasPrefix("begun") {
                            // Never the same line twice, never another's count.
                            #expect(begun.updateValue(value, forKey: parts[1]) == nil)
                            #expect(value == 0 || value == Int(parts[1])!)
                        } else {
                            total[parts[1], default: 0] += value
                        }
                    }
                    for (route, value) in begun { #expect(total[route, default: 0] == value) }
                }
                return
            }
            for round in 1...300 {
                let group = registry.group()
                for offset in 0..<4 {
                    let labels = ["\(round * 4 + offset)"]
                    let begun = try group.counter(.counter("begun_total", labels: ["r"]), labels: labels)
                    let ended = try group.counter(.counter("ended_total", labels: ["r"]), labels: labels)
                    _ = try group.derivedGauge(
                        .gauge("active", labels: ["r"]), labels: labels, beginnings: [begun], endings: [ended])
                    begun.add(UInt64(round * 4 + offset), shard: 0)
                    if offset & 1 == 0 { ended.add(UInt64(round), shard: 0) }
                }
                group.retire()
                registry.acknowledge(shard: 0)
                clock.advance(seconds: 3)
            }
            isRunning.store(false, ordering: .releasing)
        }
        clock.advance(seconds: 11)
        registry.acknowledge(shard: 0)
        #expect(registry.page().isEmpty)
    }

    @Test func `eight threads register and retire at the same time as others scrape`() throws {
        let registry = MetricsRegistry(shardCount: 0, retiredSeriesTTL: .zero)
        let kept = try registry.counter(.counter("kept_total"))
        onThreads(8) { index in
            for round in 0..<100 {
                let group = registry.group()
                let mine = try group.counter(.counter("mine_total", labels: ["l"]), labels: ["\(index)-\(round)"])
                let shared = try group.counter(.counter("kept_total"))
                mine.add(1)
                shared.add(1)
                #expect(mine.value == 1)
                #expect(registry.lines().first?.hasPrefix("kept_total ") == true)
                group.retire()
            }
        }
        #expect(registry.lines() == ["kept_total 800"])
        #expect(kept.value == 800)
    }

    @Test func `no thread waits for a suspended scrape`() throws {
        let clock = TestClock()
        let registry = MetricsRegistry(shardCount: 1, retiredSeriesTTL: .zero, clock: clock.reading)
        let counter = try registry.counter(.counter("a_total"))
        let (isInside, mayLeave) = (Signal(), Signal())
        registry.onCollect {
            // Only the first scrape stands still.
            if isInside.raise() { mayLeave.wait() }
        }
        onThreads(2) { index in
            if index == 0 {
                #expect(registry.lines() == ["a_total 1", "b_total 0"])
            } else {
                isInside.wait()
                counter.add(shard: 0)
                _ = try registry.counter(.counter("b_total"))
                #expect(registry.lines() == ["a_total 1", "b_total 0"])
                mayLeave.raise()
            }
        }
    }
}

/// Hands counts from one thread to another.
private final class PendingCount: Sendable {
    private let atomic = Atomic<Int>(0)

    var count: Int { atomic.load(ordering: .acquiring) }

    func give() {
        atomic.wrappingAdd(1, ordering: .releasing)
    }

    /// Called by one thread only.
    func take() -> Bool {
        guard atomic.load(ordering: .acquiring) > 0 else { return false }
        atomic.wrappingSubtract(1, ordering: .acquiringAndReleasing)
        return true
    }
}

/// A condition that is raised once.
private final class Signal: Sendable {
    private let isRaised = Atomic<Bool>(false)

    /// True for the first caller.
    @discardableResult
    func raise() -> Bool {
        isRaised.compareExchange(expected: false, desired: true, ordering: .acquiringAndReleasing).exchanged
    }

    func wait() {
        while !isRaised.load(ordering: .acquiring) { sched_yield() }
    }
}
