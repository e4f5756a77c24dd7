import LinuxIO
import NetworkTypes
import Synchronization
import TestSupport
import Testing
import Threading
import WeirBalance
import WeirStream

@Suite("A set under several threads")
struct ReloadStormTests {
    /// Rounds of one storm; each is a client or a change.
    private static let rounds = 3_000

    /// Runs bodies at once on threads of their own, and waits for all.
    private static func together(_ bodies: [@Sendable () -> Void]) async {
        await withTaskGroup(of: Void.self) { group in
            for body in bodies {
                group.addTask {
                    await withCheckedContinuation { continuation in
                        TCPServer.start {
                            body()
                            continuation.resume()
                        }
                    }
                }
            }
        }
    }

    /// A worker's plan: its selector, and the members that belong to it.
    private struct Plan: Sendable {
        var make: StreamHooks.MakeSelector
        var members: [UpstreamMember]
        var number: Int
    }

    private static func members(_ configuration: BalanceConfiguration, _ number: Int) -> [UpstreamMember] {
        guard let upstream = try? Upstream("192.0.2.1:1") else { return [] }
        return configuration.members.indices.map {
            UpstreamMember(
                handle: UpstreamHandle(slot: UInt32($0), generation: UInt32(number)), upstream: upstream)
        }
    }

    @Test(
        "reloads that add, remove, re-weight and rename while workers choose: no count is lost, no identity mixed up",
        arguments: BalanceMethod.allCases)
    func storm(method: BalanceMethod) async throws {
        var base = BalanceConfiguration.numbered(6, method)
        base.slowStart = .milliseconds(50)
        base.members[0].maxConnections = 5
        base.members[5].isBackup = true
        let configuration = base
        let recorder = SetRecorder(probesMembers: true)
        let set = try UpstreamSet(configuration, transport: .tcp, observer: recorder, now: 1)
        let plan = Lock(Plan(make: set.makeSelector(), members: Self.members(configuration, 0), number: 0))
        let clock = Atomic<UInt64>(1)
        let maxSeen = Atomic<Int>(0)
        let errors = Shared<[String]>([])

        @Sendable func worker(_ worker: Int) {
            var generator = SeededGenerator(seed: UInt64(worker))
            var current = plan.withLock { $0 }
            var selector = current.make(current.members, worker)
            var open: [(any UpstreamSelector, UpstreamHandle)] = []
            for round in 0..<Self.rounds {
                let latest = plan.withLock { $0 }
                if latest.number != current.number {
                    current = latest
                    selector = latest.make(latest.members, worker)
                }
                let now = clock.add(100_000, ordering: .relaxed).newValue
                if let member = selector.next(for: .client(round), tried: TriedUpstreams(), now: now) {
                    selector.chosen(member)
                    switch Int.random(in: 0..<8, using: &generator) {
                    case 0: selector.dialEnded(member, failure: .refused, now: now)
                    case 1: selector.brokeUnanswered(member, isAsked: round % 2 == 0, now: now)
                    case 2: selector.dialEnded(member, failure: .canceled, now: now)
                    default:
                        selector.dialEnded(member, failure: nil, now: now)
                        selector.answered(member, now: now)
                    }
                    open.append((selector, member))
                }
                if open.count > 20 {
                    let (owner, member) = open.remove(at: Int.random(in: 0..<open.count, using: &generator))
                    owner.released(member)
                }
            }
            for (owner, member) in open { owner.released(member) }
        }

        @Sendable func reloads(_ thread: Int) {
            var generator = SeededGenerator(seed: 100 + UInt64(thread))
            // Each one makes a table for Maglev.
            for round in 0..<Self.rounds / (method == .maglev ? 150 : 30) {
                var new = configuration
                new.members.shuffle(using: &generator)
                for index in new.members.indices where new.members[index].address != "m0:1" {
                    new.members[index].weight = Int.random(in: 1...256, using: &generator)
                    if Bool.random(using: &generator) { new.members[index].name += " \(thread).\(round)" }
                }
                if Bool.random(using: &generator) {
                    new.members.removeAll { ["m2:1", "m3:1"].contains($0.address) }
                }
                new.members.append(BalancedMember("new \(thread).\(round % 3):1"))
                let now = clock.load(ordering: .relaxed)
                do {
                    let make = try set.update(new, now: now)
                    let configured = new
                    plan.withLock { plan in
                        let number = plan.number + 1
                        plan = Plan(make: make, members: Self.members(configured, number), number: number)
                    }
                } catch {
                    errors.withLock { $0.append("\(error)") }
                }
            }
        }

        @Sendable func control() {
            for round in 0..<Self.rounds {
                let now = clock.load(ordering: .relaxed)
                let name = "m\(round % 6):1"
                switch round % 5 {
                case 0: set.checkResult(name, isUp: round % 2 == 0, now: now)
                case 1: set.setDraining(name, to: round % 3 == 0, now: now)
                case 2: set.probeEnded(name, stayedOpen: round % 2 == 0, now: now)
                case 3: set.advance(now: now)
                default:
                    let status = set.status(now: now)
                    for member in status {
                        if member.activeCount < 0 { errors.withLock { $0.append("\(member)") } }
                        guard member.member.address == "m0:1" else { continue }
                        if member.activeCount > maxSeen.load(ordering: .relaxed) {
                            maxSeen.store(member.activeCount, ordering: .relaxed)
                        }
                    }
                }
            }
        }

        await Self.together([
            { worker(0) }, { worker(1) }, { worker(2) }, { reloads(0) }, { reloads(1) }, { control() },
        ])
        #expect(errors.withLock { $0 }.isEmpty)
        // Its limit was the same all the time.
        #expect(maxSeen.load(ordering: .relaxed) <= 5)
        try set.update(configuration, now: clock.load(ordering: .relaxed))
        let status = set.status(now: clock.load(ordering: .relaxed))
        #expect(status.allSatisfy { $0.activeCount == 0 }, "\(status.map(\.activeCount))")
        #expect(recorder.changes.allSatisfy { $0.from != $0.to })
    }

    @Test("a limit holds under workers that all want the same member", arguments: BalanceMethod.allCases)
    func limit(method: BalanceMethod) async throws {
        var configuration = BalanceConfiguration.weighted([256, 1], method)
        configuration.members[0].maxConnections = 2
        let set = try UpstreamSet(configuration, transport: .tcp, now: 1)
        let make = set.makeSelector()
        let members = Self.members(configuration, 1)
        let active = Atomic<Int>(0)
        let exceeded = Atomic<Int>(0)

        @Sendable func worker(_ worker: Int) {
            let selector = make(members, worker)
            for round in 0..<20_000 {
                guard let member = selector.next(for: .client(round), tried: TriedUpstreams(), now: 2) else {
                    exceeded.add(1, ordering: .relaxed)
                    continue
                }
                selector.chosen(member)
                if member.slot == 0 {
                    if active.add(1, ordering: .relaxed).newValue > 2 { exceeded.add(1, ordering: .relaxed) }
                    active.subtract(1, ordering: .relaxed)
                }
                selector.released(member)
            }
        }

        await Self.together((0..<4).map { index in { worker(index) } })
        #expect(exceeded.load(ordering: .relaxed) == 0)
        #expect(set.status(now: 3).map(\.activeCount) == [0, 0])
    }
}
