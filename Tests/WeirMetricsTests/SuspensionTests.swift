import Glibc
import Synchronization
import TestSupport
import Testing
import WeirMetrics

/// Suspends a thread at an arbitrary instruction, many times, while another one counts, scrapes and registers. If that
/// waited for the suspended thread, it would never finish.
///
/// `scripts/test` leaves it out under the thread sanitizer, which delivers signals at calls into the C library only:
/// updates make none.
@Suite(.serialized) struct SuspensionTests {
    /// The work of the suspended thread.
    enum Work: CaseIterable {
        case counting, observing, scraping, registering, retiring

        /// Registrations and retirements take turns among themselves.
        var holdsState: Bool { self == .registering || self == .retiring }
    }

    /// The wanted number of stops in the middle of the work, and the maximum number of attempts.
    private static let (wantedStops, maxStops) = (15, 500)
    private static let addsPerStop = 1000

    @Test(arguments: Work.allCases)
    func `no thread waits for one that was suspended in the middle of its work`(work: Work) throws {
        let stage = try Stage()
        let worker = Worker(stage, work)
        let witness = Witness(stage, mayRegister: !work.holdsState)
        defer {
            worker.stop()
            witness.stop()
        }
        try waitUntil("both threads run") { worker.turns > 10 && witness.isReady }
        var inTheMiddle = 0
        var stops = 0
        while inTheMiddle < Self.wantedStops, stops < Self.maxStops {
            stops += 1
            // Nothing here may allocate before the thread runs on: it may have been stopped within the allocator.
            let wasInside = try InterruptedThread.during(worker.thread) {
                witness.askForRound()
                try waitUntil("the others are done while one stands still") { witness.rounds == stops }
                return worker.isInside
            }
            if wasInside { inTheMiddle += 1 }
            let turns = worker.turns
            try waitUntil("the stopped thread goes on") { worker.turns > turns }
        }
        #expect(inTheMiddle == Self.wantedStops)
        worker.stop()
        witness.stop()
        #expect(witness.failures == 0)
        #expect(witness.pages == stops * 3)
        #expect(stage.probe.value == UInt64(stops * Self.addsPerStop * 2))
        #expect(stage.begun.value == stage.ended.value)
        #expect(stage.begun.value == stage.observed.count || work != .observing)
    }

    /// A registry with what both threads need.
    final class Stage: Sendable {
        let registry = MetricsRegistry(shardCount: 2, retiredSeriesTTL: .zero)
        let probe: Counter
        let begun: Counter
        let ended: Counter
        let observed: Histogram
        /// So many that no later registration makes the snapshots of the scrapes grow.
        private let others: [SeriesGroup]

        init() throws {
            probe = try registry.counter(.counter("probe_total"))
            begun = try registry.counter(.counter("begun_total"))
            ended = try registry.counter(.counter("ended_total"))
            _ = try registry.derivedGauge(.gauge("active"), beginnings: [begun], endings: [ended])
            observed = try registry.histogram(.seconds("observed", buckets: [10, 100]))
            let registry = registry
            others = try (0..<20).map { try Self.register("other-\($0)", in: registry) }
        }

        func register(_ name: String) throws -> SeriesGroup {
            try Self.register(name, in: registry)
        }

        private static func register(_ name: String, in registry: MetricsRegistry) throws -> SeriesGroup {
            let group = registry.group()
            let labels = [name]
            let first = try group.counter(.counter("first_total", labels: ["l"]), labels: labels)
            let second = try group.counter(.counter("second_total", labels: ["l"]), labels: labels)
            _ = try group.derivedGauge(
                .gauge("difference", labels: ["l"]), labels: labels, beginnings: [first], endings: [second])
            _ = try group.histogram(.seconds("h", buckets: [1, 2], labels: ["l"]), labels: labels)
            return group
        }
    }

    /// The thread that is stopped. It works in shard 0.
    final class Worker: Sendable {
        private let isStopping = Atomic<Bool>(false)
        private let counted = Atomic<Int>(0)
        private let inside = Atomic<Bool>(false)
        private let id = Atomic<UInt>(0)
        private let done = TestSemaphore()

        var turns: Int { counted.load(ordering: .acquiring) }
        var isInside: Bool { inside.load(ordering: .relaxed) }
        var thread: pthread_t { pthread_t(id.load(ordering: .acquiring)) }

        init(_ stage: Stage, _ work: Work) {
            TCPServer.start { [self] in
                do {
                    try InterruptedThread.allow()
                    id.store(UInt(pthread_self()), ordering: .releasing)
                    try run(stage, work)
                } catch {
                    Issue.record(error)
                }
                done.signal()
            }
        }

        func stop() {
            if !isStopping.exchange(true, ordering: .relaxed) { done.wait() }
        }

        private func run(_ stage: Stage, _ work: Work) throws {
            var buffer = ScrapeBuffer(capacity: 1 << 20)
            stage.registry.render(into: &buffer)
            let text = "a name that is long enough to have memory of its own"
            while !isStopping.load(ordering: .relaxed) {
                // What a retirement needs is made before it.
                let group = work == .retiring ? try stage.register(text) : nil
                inside.store(true, ordering: .relaxed)
                switch work {
                case .counting:
                    for _ in 0..<1000 {
                        stage.begun.add(shard: 0)
                        stage.ended.add(shard: 0)
                    }
                case .observing:
                    for value in 0..<500 {
                        stage.begun.add()
                        stage.observed.observe(raw: UInt64(value), shard: 0)
                        stage.begun.add()
                        stage.observed.observe(raw: UInt64(value))
                        stage.ended.add(2, shard: 0)
                    }
                case .scraping: stage.registry.render(into: &buffer)
                case .registering: _ = try stage.register(text)
                case .retiring: group?.retire()
                }
                inside.store(false, ordering: .relaxed)
                stage.registry.acknowledge(shard: 0)
                counted.wrappingAdd(1, ordering: .releasing)
            }
        }
    }

    /// The thread that goes on meanwhile, in shard 1 and as a thread without a shard. It records its findings without
    /// allocating; they are checked later.
    final class Witness: Sendable {
        private let asked = TestSemaphore()
        private let done = TestSemaphore()
        private let isStopping = Atomic<Bool>(false)
        private let ready = Atomic<Bool>(false)
        private let finished = Atomic<Int>(0)
        private let rendered = Atomic<Int>(0)
        private let failed = Atomic<Int>(0)

        var isReady: Bool { ready.load(ordering: .acquiring) }
        var rounds: Int { finished.load(ordering: .acquiring) }
        var pages: Int { rendered.load(ordering: .relaxed) }
        var failures: Int { failed.load(ordering: .relaxed) }

        init(_ stage: Stage, mayRegister: Bool) {
            TCPServer.start { [self] in
                var buffer = ScrapeBuffer(capacity: 1 << 20)
                stage.registry.render(into: &buffer)
                ready.store(true, ordering: .releasing)
                var total: UInt64 = 0
                while true {
                    asked.wait()
                    if isStopping.load(ordering: .relaxed) { break }
                    round(stage, &buffer, &total, mayRegister: mayRegister)
                    finished.wrappingAdd(1, ordering: .releasing)
                }
                done.signal()
            }
        }

        func askForRound() { asked.signal() }

        func stop() {
            guard !isStopping.exchange(true, ordering: .relaxed) else { return }
            asked.signal()
            done.wait()
        }

        private func round(_ stage: Stage, _ buffer: inout ScrapeBuffer, _ total: inout UInt64, mayRegister: Bool) {
            for _ in 0..<SuspensionTests.addsPerStop {
                stage.probe.add(shard: 1)
                stage.probe.add()
            }
            total += UInt64(SuspensionTests.addsPerStop * 2)
            for page in 0..<3 {
                let group = mayRegister && page == 1 ? try? stage.register("witness") : nil
                stage.registry.render(into: &buffer)
                rendered.wrappingAdd(1, ordering: .relaxed)
                check(buffer.value(of: "probe_total ") == total)
                let (begun, ended) = (buffer.value(of: "begun_total "), buffer.value(of: "ended_total "))
                let active = buffer.value(of: "active ")
                if let begun, let ended, let active { check(begun == ended + active) } else { check(false) }
                check(buffer.value(of: "observed_count ") == buffer.value(of: "observed_bucket{le=\"+Inf\"} "))
                if mayRegister {
                    check((buffer.value(of: "first_total{l=\"witness\"} ") != nil) == (group != nil))
                    check((group != nil) == (page == 1))
                }
                group?.retire()
            }
            stage.registry.acknowledge(shard: 1)
        }

        private func check(_ holds: Bool) {
            if !holds { failed.wrappingAdd(1, ordering: .relaxed) }
        }
    }
}
