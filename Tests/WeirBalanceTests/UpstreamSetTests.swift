import LinuxIO
import NetworkTypes
import Testing
import WeirBalance
import WeirStream

@Suite("The set of upstreams")
struct UpstreamSetTests {
    @Test("members that stay keep state and counts, in any order, with other weights and other names")
    func identities() throws {
        let rig = try Rig(.weighted([1, 1, 1, 1], .roundRobin), workers: 2)
        for index in 0..<40 { rig.choose(.client(index), worker: index % 2) }
        for _ in 0..<5 { rig.dial("a", .refused) }
        rig.set.checkResult("b", isUp: false, now: rig.now)
        rig.set.setDraining("c", to: true, now: rig.now)
        let old = rig.selectors[0]
        let oldHandle = rig.handle("b")
        rig.recorder.forget()
        try rig.update { configuration in
            configuration.members.reverse()
            configuration.members[2].name = "renamed"
            configuration.members[3].weight = 200
            configuration.members.insert(BalancedMember("new:1"), at: 1)
        }
        #expect(rig.recorder.changes.isEmpty)
        let status = rig.set.status(now: rig.now)
        #expect(status.map(\.member.name) == ["d", "new:1", "c", "renamed", "a"])
        #expect(status.map(\.state) == [.up, .up, .draining, .down, .ejected])
        #expect(status.map(\.activeCount) == [10, 0, 10, 10, 10])
        // A connection of the old configuration ends in the counts of the new one.
        old.released(oldHandle)
        #expect(rig.status("renamed")?.activeCount == 9)
    }

    @Test("a name outranks an address: two members that exchange their addresses keep their states")
    func exchanged() throws {
        let rig = try Rig(.weighted([1, 1], .roundRobin))
        rig.set.checkResult("a", isUp: false, now: rig.now)
        try rig.update {
            $0.members[0].address = "b:1"
            $0.members[1].address = "a:1"
        }
        #expect(rig.set.status(now: rig.now).map(\.state) == [.down, .up])
    }

    @Test("a member that left takes no clients, and is the same when it comes back while it is in use")
    func departed() throws {
        let rig = try Rig(.weighted([1, 1], .first))
        rig.choose()
        rig.set.checkResult("a", isUp: false, now: rig.now)
        let old = rig.selectors[0]
        let (a, b) = (rig.handle("a"), rig.handle("b"))
        try rig.update { $0.members.removeFirst() }
        #expect(old.next(for: .client(1), tried: TriedUpstreams(), now: rig.now) == b)
        #expect(rig.set.status(now: rig.now).map(\.member.name) == ["b"])
        rig.set.checkResult("a", isUp: true, now: rig.now)
        try rig.update { $0.members.append(BalancedMember("a:1", name: "a")) }
        #expect(rig.state("a") == .down)
        #expect(rig.status("a")?.activeCount == 1)
        old.released(a)
        try rig.update { $0.members.removeLast() }
        try rig.update { $0.members.append(BalancedMember("a:1", name: "a")) }
        #expect(rig.state("a") == .up)
    }

    @Test("each change of state is told once, with its cause and in order")
    func changes() throws {
        let rig = try Rig(.weighted([1, 1], .roundRobin))
        for _ in 0..<3 { rig.set.checkResult("a", isUp: true, now: rig.now) }
        for _ in 0..<3 { rig.set.checkResult("a", isUp: false, now: rig.now) }
        for _ in 0..<3 { rig.set.engineResult("a", isUp: false, now: rig.now) }
        rig.set.checkResult("a", isUp: true, now: rig.now)
        rig.now += 5
        rig.set.engineResult("a", isUp: true, now: rig.now)
        for _ in 0..<2 { rig.set.setDraining("a", to: true, now: rig.now) }
        rig.set.checkResult("a", isUp: false, now: rig.now)
        try rig.update { $0.members[0].isDraining = true }
        rig.set.setDraining("a", to: false, now: rig.now)
        try rig.update { $0.members[0].isDraining = false }
        rig.set.checkResult("nowhere", isUp: false, now: rig.now)
        rig.set.setDraining("nowhere", to: true, now: rig.now)
        #expect(
            rig.recorder.texts == [
                "a: up→down check", "a: down→up engine", "a: up→draining admin", "a: draining→down admin",
            ])
        let start = UInt64.seconds(1_000)
        #expect(rig.recorder.changes.map(\.time) == [start, start + 5, start + 5, start + 5])
        let status = try #require(rig.status("a"))
        #expect(status.cause == .admin && status.changedAt == rig.now && status.weight == 1)
    }

    @Test("a member that drains by its first configuration is told as such")
    func drainsFromStart() throws {
        let rig = try Rig(
            BalanceConfiguration([BalancedMember("a:1", isDraining: true), BalancedMember("b:1")]))
        #expect(rig.recorder.texts == ["a:1: up→draining admin"])
        #expect(rig.status("a:1")?.weight == 0)
        #expect((0..<10).allSatisfy { _ in rig.pass() == "b:1" })
    }

    @Test("the end of its time down ends an ejection, but not the growth of the next one")
    func downAndEjected() throws {
        let rig = try Rig(.weighted([1, 1], .first))
        for _ in 0..<5 { rig.dial("a", .refused) }
        rig.set.checkResult("a", isUp: false, now: rig.now)
        rig.set.checkResult("a", isUp: true, now: rig.now)
        #expect(rig.state("a") == .up)
        rig.dial("a", .refused)
        #expect(rig.recorder.changes.last?.ejectionTime == .seconds(20))
    }

    @Test("a slow start makes the weight grow linearly, and only after a failure")
    func slowStart() throws {
        var configuration = BalanceConfiguration.weighted([4, 4], .roundRobin)
        configuration.slowStart = .seconds(30)
        let rig = try Rig(configuration)
        #expect(rig.status("a")?.weight == 4)
        rig.set.setDraining("a", to: true, now: rig.now)
        rig.set.setDraining("a", to: false, now: rig.now)
        #expect(rig.status("a")?.weight == 4)
        rig.set.checkResult("a", isUp: false, now: rig.now)
        rig.set.checkResult("a", isUp: true, now: rig.now)
        #expect(rig.status("a")?.weight == 0)
        var shares: [Double] = []
        for step in 1...3 {
            rig.now += .seconds(10)
            #expect(abs((rig.status("a")?.weight ?? 0) - 4 * Double(step) / 3) < 0.001)
            let counts = rig.shares(3_000)
            shares.append(Double(counts["a"] ?? 0) / Double(counts["b"] ?? 1))
        }
        for (share, expected) in zip(shares, [1.0 / 3, 2.0 / 3, 1]) { #expect(abs(share - expected) < 0.03) }
    }

    @Test("a member in slow start still serves where it is the only one", arguments: BalanceMethod.allCases)
    func slowStartAlone(method: BalanceMethod) throws {
        var configuration = BalanceConfiguration.weighted([1], method)
        configuration.slowStart = .seconds(30)
        let rig = try Rig(configuration)
        rig.set.checkResult("a", isUp: false, now: rig.now)
        rig.set.checkResult("a", isUp: true, now: rig.now)
        #expect((0..<50).allSatisfy { rig.pass(.client($0)) == "a" })
    }

    @Test("invalid configurations are refused, and change nothing")
    func invalid() throws {
        let rig = try Rig(.weighted([1, 1], .roundRobin))
        let a = BalancedMember("a:1")
        let cases: [(BalanceConfiguration, BalanceError)] = [
            (BalanceConfiguration([]), .empty),
            (.numbered(1_025, .first), .tooMany(1_025)),
            (BalanceConfiguration([BalancedMember("a:1", isBackup: true)]), .onlyBackups),
            (BalanceConfiguration([a, BalancedMember("b:1", name: "a:1")]), .duplicate("a:1")),
            (BalanceConfiguration([BalancedMember("a:1", weight: 0)]), .invalidWeight("a:1")),
            (BalanceConfiguration([BalancedMember("a:1", weight: 257)]), .invalidWeight("a:1")),
            (BalanceConfiguration([BalancedMember("a:1", maxConnections: 0)]), .invalidLimit("a:1")),
            (BalanceConfiguration([BalancedMember("a:1", maxConnections: 1 << 40)]), .invalidLimit("a:1")),
            (BalanceConfiguration([a], ejection: Ejection(failures: 0)), .invalidEjection),
            (BalanceConfiguration([a], ejection: Ejection(duration: .zero)), .invalidEjection),
        ]
        for (configuration, error) in cases {
            #expect(throws: error) { try rig.set.update(configuration, now: rig.now) }
            #expect(throws: error) { try UpstreamSet(configuration, transport: .tcp, now: 0) }
            #expect(!error.description.isEmpty)
        }
        #expect(rig.set.status(now: rig.now).map(\.member.name) == ["a", "b"])
    }

    @Test("labels are words of lower case")
    func labels() {
        let words =
            MemberState.allCases.map(\.rawValue) + StateChangeCause.allCases.map(\.rawValue)
            + EjectionReason.allCases.map(\.rawValue) + FallbackReason.allCases.map(\.rawValue)
            + BalanceMethod.allCases.map(\.rawValue) + WhenNone.allCases.map(\.rawValue)
        #expect(words.allSatisfy { $0.allSatisfy { $0 == "_" || ("a"..."z").contains($0) } })
        for reason in EjectionReason.allCases { #expect(EjectionReason(reason.cause) == reason) }
        for cause in [StateChangeCause.check, .engine, .admin, .recovered] { #expect(EjectionReason(cause) == nil) }
    }
}
