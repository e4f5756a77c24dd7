import LinuxIO
import NetworkTypes
import TestSupport
import Testing

@testable import WeirStream

/// The connector alone, over scripted upstreams and with a clock that the test turns.
@Suite(.timeLimit(.minutes(1))) struct UpstreamConnectorTests {
    private static let three = ["192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1"]

    private static func address(_ last: Int, port: UInt16 = 1) throws -> SocketAddress {
        SocketAddress(try #require(IPAddress("192.0.2.\(last)")), port: port)
    }

    // MARK: One upstream with several addresses (RFC 8305)

    @Test func `attempts begin a quarter of a second apart, and at once behind a failure`() throws {
        let rig = try ConnectorRig(["name.example:1"])
        defer { rig.finish() }
        let addresses = try (1...5).map { try Self.address($0) }
        rig.script.behaviors = [
            addresses[0]: .refuses(after: 100_000_000), addresses[2]: .refusesAtOnce,
        ]
        let start = rig.now
        rig.begin()
        rig.answer(0, addresses)
        for _ in 0..<2_000 { rig.advance(by: .milliseconds(1)) }
        // The second begins with the failure of the first; the third, which fails at once, and the fourth 250 ms later.
        #expect(rig.script.attempts.map { ($0.startedAt - start) / 1_000_000 } == [0, 100, 350, 600])
        #expect(rig.script.attempts.map(\.address) == [0, 1, 3, 4].map { addresses[$0] })
        #expect(rig.script.openCount == 3)
    }

    @Test func `the address that answered while another was silent, or its family, is tried first for ten minutes`()
        throws
    {
        let rig = try ConnectorRig(["name.example:1"])
        defer { rig.finish() }
        let six = try (1...2).map { SocketAddress(try #require(IPAddress("2001:db8::\($0)")), port: 1) }
        let four = try (1...2).map { try Self.address($0) }
        for address in four { rig.script.behaviors[address] = .connects(after: 1_000_000) }
        func dial() -> [SocketAddress] {
            let before = rig.script.attempts.count
            rig.beginAnew()
            for _ in 0..<1_000 where rig.end == nil { rig.advance(by: .milliseconds(1)) }
            let attempts = rig.script.attempts.dropFirst(before).map(\.address)
            rig.endConnecting()
            return attempts
        }
        rig.answer(0, [six[0], four[0], six[1]])
        #expect(dial() == [six[0], four[0]])
        #expect(dial() == [four[0]])
        // The name has other addresses now: the family is remembered.
        rig.answer(0, [six[0], four[1], six[1]])
        #expect(dial() == [four[1]])
        rig.advance(by: .seconds(601))
        #expect(dial() == [six[0], four[1]])
        // A refusal costs no time, and so nothing is remembered of it.
        rig.advance(by: .seconds(601))
        rig.script.behaviors[six[0]] = .refusesAtOnce
        #expect(dial() == [four[1]])
        rig.script.behaviors[six[0]] = .connectsAtOnce
        #expect(dial() == [six[0]])
    }

    @Test func `the timer for the next address does not fire for the next upstream`() throws {
        let rig = try ConnectorRig(["two.example:1", "slow.example:1"])
        defer { rig.finish() }
        let (first, second) = (try Self.address(1), try Self.address(2))
        rig.script.behaviors = [first: .refuses(after: 1_000_000), second: .refuses(after: 1_000_000)]
        rig.begin()
        rig.answer(0, [first, second])
        for _ in 0..<600 { rig.advance(by: .milliseconds(1)) }
        // The second upstream waits for its name, and that is no failure.
        #expect(rig.recorder.events == [.dialFailed(upstream: 0, .refused)])
        let third = try Self.address(3)
        rig.script.behaviors[third] = .connectsAtOnce
        rig.answer(1, [third])
        #expect(rig.end == .settled(upstream: 1, third))
        #expect(rig.recorder.events == [.dialFailed(upstream: 0, .refused), .dialed(upstream: 1)])
    }

    @Test func `more addresses than tags are all tried`() throws {
        var settings = ScriptedSettings()
        settings.dialTimeout = .seconds(10)
        let rig = try ConnectorRig(["many.example:1"], settings: settings)
        defer { rig.finish() }
        let addresses = try (1...20).map { try Self.address($0) }
        for address in addresses.dropLast() { rig.script.behaviors[address] = .refuses(after: 2_000_000_000) }
        rig.script.behaviors[addresses[19]] = .connects(after: 1_000_000)
        rig.begin()
        rig.answer(0, addresses)
        for _ in 0..<9_990 where rig.end == nil {
            rig.advance(by: .milliseconds(1))
            #expect(rig.script.openCount <= DialAttempts.maxCount)
        }
        #expect(rig.end == .settled(upstream: 0, addresses[19]))
        #expect(rig.script.openCount == 1)
    }

    // MARK: Times

    @Test func `a silent upstream has a third of the time while others are left, and the last one has the rest`() throws
    {
        var settings = ScriptedSettings()
        settings.dialTimeout = .seconds(6)
        let rig = try ConnectorRig(Self.three, settings: settings)
        defer { rig.finish() }
        let start = rig.now
        var failures: [UInt64] = []
        rig.begin()
        for _ in 0..<7_000 {
            rig.advance(by: .milliseconds(1))
            let count = rig.recorder.events.count { if case .dialFailed = $0 { true } else { false } }
            if count > failures.count { failures.append((rig.now - start) / 1_000_000) }
        }
        #expect(failures == [2_000, 4_000, 6_000])
        #expect(rig.end == .failed(.timeout))
        #expect(
            rig.recorder.events
                == (0..<3).flatMap { [.timedOut(.dial), .dialFailed(upstream: $0, .timeout)] })
        #expect(rig.script.openCount == 0)
    }

    @Test func `attempt_timeout bounds every upstream, also the only one`() throws {
        var settings = ScriptedSettings()
        settings.attemptTimeout = .milliseconds(700)
        for (upstreams, end) in [(Self.three, UInt64(2_100)), ([Self.three[0]], 700)] {
            let rig = try ConnectorRig(upstreams, settings: settings)
            defer { rig.finish() }
            let start = rig.now
            rig.begin()
            while rig.end == nil { rig.advance(by: .milliseconds(1)) }
            #expect((rig.now - start) / 1_000_000 == end)
            #expect(rig.end == .failed(.timeout))
            #expect(rig.recorder.count(.timedOut(.dial)) == upstreams.count)
        }
    }

    @Test func `the whole time ends the dial, whatever is left to try`() throws {
        var settings = ScriptedSettings()
        settings.attemptTimeout = .seconds(4)
        let rig = try ConnectorRig(Self.three, settings: settings)
        defer { rig.finish() }
        let start = rig.now
        rig.begin()
        while rig.end == nil { rig.advance(by: .milliseconds(1)) }
        #expect((rig.now - start) / 1_000_000 == 5_000)
        #expect(rig.account[2] == [])
        #expect(
            rig.recorder.events == [
                .timedOut(.dial), .dialFailed(upstream: 0, .timeout), .timedOut(.dial),
                .dialFailed(upstream: 1, .timeout),
            ])
    }

    @Test func `where the policy has no other choice, a silent upstream keeps all of the time`() throws {
        let rig = try ConnectorRig(Self.three)
        defer { rig.finish() }
        rig.account.hidden.set([1, 2])
        rig.script.behaviors[try Self.address(1)] = .connects(after: 4_900_000_000)
        rig.begin()
        for _ in 0..<4_950 { rig.advance(by: .milliseconds(1)) }
        #expect(rig.end == .settled(upstream: 0, try Self.address(1)))
        #expect(rig.recorder.events == [.dialed(upstream: 0)])
        #expect(rig.account[0] == [.chosen, .connected])
    }

    // MARK: The choice

    @Test(arguments: [RejectReason.noUpstream, .upstreamLimit])
    func `a policy without a choice rejects, with its reason`(reason: RejectReason) throws {
        let rig = try ConnectorRig(Self.three)
        defer { rig.finish() }
        rig.account.hidden.set([0, 1, 2])
        rig.account.rejectReason.set(reason)
        rig.begin()
        #expect(rig.end == .rejected(reason))
        #expect(rig.recorder.events == [])
        #expect(rig.account.all == [])
    }

    @Test func `a handle of another set finds no member`() throws {
        let rig = try ConnectorRig(Self.three)
        defer { rig.finish() }
        #expect(rig.route.state(of: UpstreamHandle(slot: 0, generation: 1)) === rig.route.upstreams[0])
        for (slot, generation) in [(3, 1), (0, 0), (0, 2), (UInt32.max, 1)] as [(UInt32, UInt32)] {
            #expect(rig.route.state(of: UpstreamHandle(slot: slot, generation: generation)) == nil)
        }
    }

    @Test func `the failure that stands for all is that of an upstream that had an address`() throws {
        let rig = try ConnectorRig(["192.0.2.1:1", "nowhere.example:1"])
        defer { rig.finish() }
        rig.script.behaviors[try Self.address(1)] = .refusesAtOnce
        rig.answer(1, [])
        rig.begin()
        #expect(rig.end == .failed(.refused))
        #expect(rig.recorder.events == [.dialFailed(upstream: 0, .refused), .dialFailed(upstream: 1, .dnsNotFound)])
    }

    // MARK: A connection that fails after all

    @Test func `a connection that its owner hands back fails its dial, and the next upstream is dialed`() throws {
        let rig = try ConnectorRig(Self.three)
        defer { rig.finish() }
        rig.keepsAtOnce = false
        rig.script.behaviors = [
            try Self.address(1): .connects(after: 1_000_000), try Self.address(2): .connectsAtOnce,
        ]
        rig.begin()
        rig.advance(by: .milliseconds(5))
        #expect(rig.connections == 1)
        rig.handBack(.reset)
        #expect(rig.connections == 2)
        rig.keep()
        #expect(rig.recorder.events == [.dialFailed(upstream: 0, .reset), .dialed(upstream: 1)])
        #expect(rig.account[0] == [.chosen, .failed(.reset), .released])
        #expect(rig.account[1] == [.chosen, .connected])
        #expect(rig.script.openCount == 1)
    }

    @Test func `a handshake that takes too long fails its dial like a silent upstream`() throws {
        let rig = try ConnectorRig(Self.three)
        defer { rig.finish() }
        rig.keepsAtOnce = false
        rig.script.behaviors = [try Self.address(1): .connectsAtOnce, try Self.address(2): .connectsAtOnce]
        rig.begin()
        for _ in 0..<1_700 { rig.advance(by: .milliseconds(1)) }
        #expect(rig.connections == 2)
        rig.keep()
        #expect(
            rig.recorder.events == [.timedOut(.dial), .dialFailed(upstream: 0, .timeout), .dialed(upstream: 1)])
        #expect(rig.script.openCount == 1)
    }

    @Test func `a settled connection goes elsewhere, and its other addresses are no dials of their own`() throws {
        let rig = try ConnectorRig(["two.example:1", "192.0.2.3:1"])
        defer { rig.finish() }
        let addresses = try (1...3).map { try Self.address($0) }
        for address in addresses { rig.script.behaviors[address] = .connectsAtOnce }
        rig.answer(0, Array(addresses[..<2]))
        rig.begin()
        #expect(rig.end == .settled(upstream: 0, addresses[0]))
        #expect(rig.connector?.hasOthers == true)
        rig.goElsewhere()
        #expect(rig.end == .settled(upstream: 0, addresses[1]))
        #expect(rig.connector?.hasOthers == true)
        rig.goElsewhere()
        #expect(rig.end == .settled(upstream: 1, addresses[2]))
        #expect(rig.connector?.hasOthers == false)
        rig.goElsewhere()
        // There is no other: it keeps what it has.
        #expect(rig.end == .settled(upstream: 1, addresses[2]))
        #expect(rig.script.openCount == 1)
        #expect(rig.recorder.events == [.dialed(upstream: 0), .dialed(upstream: 1)])
        #expect(rig.account[0] == [.chosen, .connected, .released])
        #expect(rig.account[1] == [.chosen, .connected])
    }

    // MARK: Seeded schedules

    @Test func `whatever upstreams do and whenever the owner ends, every dial is counted once and every socket closed`()
        throws
    {
        let clock = TestClock()
        let core = try ConnectorRig.makeCore(clock)
        for seed in 0..<UInt64(fuzzRounds(600)) {
            var chance = SeededGenerator(seed: seed)
            try Self.runSchedule(&chance, seed, clock, core)
        }
    }

    private static func runSchedule(
        _ chance: inout SeededGenerator, _ seed: UInt64, _ clock: TestClock, _ core: WorkerCore
    ) throws {
        var settings = ScriptedSettings()
        settings.dialTimeout = .milliseconds(Int.random(in: 200...6_000, using: &chance))
        if Bool.random(using: &chance) {
            settings.attemptTimeout = .milliseconds(Int.random(in: 1...3_000, using: &chance))
        }
        let count = Int.random(in: 1...5, using: &chance)
        let isName = (0..<count).map { _ in Bool.random(using: &chance) }
        let rig = try ConnectorRig(
            isName.indices.map { isName[$0] ? "name-\($0).example:1" : "192.0.2.\($0 * 20 + 1):1" },
            settings: settings, clock: clock, core: core)
        for last in 1...100 { rig.script.behaviors[try address(last)] = .random(using: &chance) }
        rig.keepsAtOnce = Bool.random(using: &chance)
        let begun = rig.now
        let maxStepMilliseconds = 40
        let endsEarly = Int.random(in: 0..<8, using: &chance) == 0
        let lastStep = endsEarly ? Int.random(in: 0..<200, using: &chance) : .max
        rig.begin()
        var steps = 0
        while rig.connector != nil, steps < lastStep {
            steps += 1
            rig.advance(by: .milliseconds(Int.random(in: 0...maxStepMilliseconds, using: &chance)))
            if let index = isName.indices.randomElement(using: &chance), isName[index],
                Int.random(in: 0..<6, using: &chance) == 0
            {
                let last = Int.random(in: 0...9, using: &chance)
                rig.answer(index, try (0..<last).map { try address(index * 20 + 1 + $0) })
            }
            if case .settled = rig.end {
                // Sometimes the upstream refuses what it is sent, as over UDP; a connection ends there otherwise.
                if Int.random(in: 0..<3, using: &chance) > 0 { break }
                rig.goElsewhere()
            } else if rig.socket != nil {
                switch Int.random(in: 0..<10, using: &chance) {
                case 0...3: rig.keep()
                case 4: rig.handBack(.reset)
                default: break
                }
            }
        }
        let isKept = if case .settled = rig.end { true } else { false }
        #expect(rig.script.openCount <= DialAttempts.maxCount + 1, "seed \(seed)")
        if rig.connector == nil { #expect(rig.script.openCount == (isKept ? 1 : 0), "seed \(seed)") }
        rig.endConnecting()
        #expect(rig.script.openCount == 0, "seed \(seed)")
        check(rig, seed, isKept: isKept, count)
        if case .failed = rig.end {
            let limit = begun + settings.dialTimeout.clampedNanoseconds + UInt64(maxStepMilliseconds + 1) * 1_000_000
            #expect(rig.now <= limit, "seed \(seed)")
        }
        // No timer is left behind.
        rig.advance(by: .seconds(20))
        #expect(rig.timersAfterEnd == 0, "seed \(seed)")
        rig.finish()
    }

    /// Every choice has one end and one release, told alike to the policy and to the observer.
    private static func check(_ rig: ConnectorRig, _ seed: UInt64, isKept: Bool, _ count: Int) {
        var kept = 0
        for index in 0..<count {
            let calls = rig.account[index]
            let failures = rig.recorder.events.filter {
                if case .dialFailed(upstream: index, _) = $0 { true } else { false }
            }
            let successes = rig.recorder.count(.dialed(upstream: index))
            switch calls.count {
            case 0: #expect(failures.isEmpty && successes == 0, "seed \(seed)")
            default:
                #expect(calls.count == 3 && calls[0] == .chosen && calls[2] == .released, "seed \(seed): \(calls)")
                if calls.contains(.connected) {
                    kept += 1
                    #expect(failures.isEmpty && successes == 1, "seed \(seed)")
                } else {
                    #expect(failures.count == 1 && successes == 0, "seed \(seed)")
                }
            }
        }
        #expect(isKept ? kept >= 1 : kept == 0, "seed \(seed)")
        let delay = UpstreamConnector<ScriptedDialer>.attemptDelayNanoseconds
        for (one, next) in zip(rig.script.attempts, rig.script.attempts.dropFirst())
        where one.address.ip.isNeighbor(of: next.address.ip) && !next.mayBeEarly {
            #expect(next.startedAt >= one.startedAt + delay, "seed \(seed)")
        }
    }
}

extension ScriptedUpstreams.Behavior {
    fileprivate static func random(using chance: inout SeededGenerator) -> Self {
        let delay = UInt64.random(in: 0...2_000_000_000, using: &chance)
        return switch Int.random(in: 0..<8, using: &chance) {
        case 0: .connectsAtOnce
        case 1, 2: .refusesAtOnce
        case 3: .connects(after: delay)
        case 4, 5: .refuses(after: delay)
        default: .hangs
        }
    }
}

extension IPAddress {
    /// Whether both are addresses of one scripted upstream: twenty each.
    fileprivate func isNeighbor(of other: IPAddress) -> Bool {
        func group(_ address: IPAddress) -> Int {
            ((address.description.split(separator: ".").last.flatMap { Int($0) } ?? 0) - 1) / 20
        }
        return group(self) == group(other)
    }
}
