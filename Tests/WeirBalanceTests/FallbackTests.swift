import LinuxIO
import NetworkTypes
import Testing
import WeirBalance
import WeirStream

@Suite("Limits and fallbacks")
struct FallbackTests {
    private static func configuration(_ method: BalanceMethod, whenNone: WhenNone = .dial) -> BalanceConfiguration {
        var configuration = BalanceConfiguration.weighted([1, 1, 1], method)
        configuration.members[2].isBackup = true
        configuration.whenNone = whenNone
        return configuration
    }

    @Test("a backup takes clients only where no other member can", arguments: BalanceMethod.allCases)
    func backup(method: BalanceMethod) throws {
        let rig = try Rig(Self.configuration(method))
        for index in 0..<200 { #expect(rig.pass(.client(index)) != "c") }
        #expect(rig.pass(tried: ["a", "b"]) == "c")
        #expect(rig.recorder.fallbacks(.backup) == 1)
        for name in ["a", "b"] { rig.set.checkResult(name, isUp: false, now: rig.now) }
        for index in 0..<10 { #expect(rig.pass(.client(index)) == "c") }
        #expect(rig.recorder.fallbacks(.backup) == 11)
        rig.set.checkResult("b", isUp: true, now: rig.now)
        #expect(rig.pass() == "b")
    }

    @Test("while none is up all are dialed, or clients are rejected", arguments: BalanceMethod.allCases)
    func whenNone(method: BalanceMethod) throws {
        for whenNone in WhenNone.allCases {
            let rig = try Rig(Self.configuration(method, whenNone: whenNone))
            for name in ["a", "b", "c"] { rig.set.checkResult(name, isUp: false, now: rig.now) }
            let chosen = Set((0..<100).map { rig.pass(.client($0), tried: $0 % 2 == 0 ? [] : ["a"]) })
            if whenNone == .dial {
                #expect(chosen.isSuperset(of: ["a", "b"]))
                #expect(!chosen.contains(nil))
                #expect(rig.recorder.fallbacks(.noneUp) == 100)
            } else {
                #expect(chosen == [nil])
                #expect(rig.selectors[0].rejectReason == .noUpstream)
                #expect(rig.recorder.fallbacks(.noneUp) == 0)
            }
            // One that drains is silent, whatever the others are.
            for name in ["a", "b", "c"] { rig.set.setDraining(name, to: true, now: rig.now) }
            #expect(rig.pass() == nil)
        }
    }

    @Test("a limit is never exceeded, and what is beyond it goes elsewhere", arguments: BalanceMethod.allCases)
    func limit(method: BalanceMethod) throws {
        var configuration = BalanceConfiguration.weighted([1, 1], method)
        configuration.members[0].maxConnections = 3
        let rig = try Rig(configuration, workers: 2)
        for index in 0..<200 { rig.choose(.client(index), worker: index % 2) }
        #expect(rig.set.status(now: rig.now).map(\.activeCount) == [3, 197])
        #expect(rig.recorder.fallbacks(.limit) > 0)
        rig.release("a")
        var names: Set<String?> = []
        for index in 0..<20 { names.insert(rig.choose(.client(index), worker: 1)) }
        #expect(names.contains("a"))
        #expect(rig.status("a")?.activeCount == 3)
    }

    @Test("where all have reached their limits clients are rejected as such", arguments: BalanceMethod.allCases)
    func allFull(method: BalanceMethod) throws {
        var configuration = Self.configuration(method)
        for index in 0..<3 { configuration.members[index].maxConnections = 2 }
        let rig = try Rig(configuration)
        let chosen = (0..<6).map { rig.choose(.client($0)) }
        #expect(Dictionary(grouping: chosen.compactMap(\.self)) { $0 }.mapValues(\.count) == ["a": 2, "b": 2, "c": 2])
        #expect(Set(chosen[..<4]) == ["a", "b"])
        // The backup took those beyond the limits.
        #expect(rig.recorder.fallbacks(.limit) >= 2)
        #expect(rig.recorder.fallbacks(.backup) == 0)
        #expect(rig.choose() == nil)
        #expect(rig.selectors[0].rejectReason == .upstreamLimit)
        rig.set.checkResult("a", isUp: false, now: rig.now)
        #expect(rig.choose() == nil)
        #expect(rig.selectors[0].rejectReason == .upstreamLimit)
        // All that is left was tried.
        rig.release("b")
        #expect(rig.choose(tried: ["b", "c"]) == nil)
        #expect(rig.selectors[0].rejectReason == .noUpstream)
    }

    @Test("a proposal that is not used is taken back")
    func unusedProposals() throws {
        var configuration = BalanceConfiguration.weighted([1, 1], .first)
        configuration.members[0].maxConnections = 1
        let rig = try Rig(configuration)
        let selector = rig.selectors[0]
        for _ in 0..<10 {
            #expect(selector.next(for: .client(1), tried: TriedUpstreams(), now: rig.now) == rig.handle("a"))
        }
        #expect(rig.status("a")?.activeCount == 1)
        selector.chosen(rig.handle("b"))
        #expect(rig.set.status(now: rig.now).map(\.activeCount) == [0, 1])
    }

    @Test("the limit also holds for a member that a hook chose")
    func hook() throws {
        var configuration = BalanceConfiguration.weighted([1, 1], .first)
        configuration.members[1].maxConnections = 1
        let rig = try Rig(configuration)
        let selector = rig.selectors[0]
        #expect(selector.accepts(rig.handle("b"), now: rig.now))
        selector.chosen(rig.handle("b"))
        #expect(!selector.accepts(rig.handle("b"), now: rig.now))
        #expect(selector.rejectReason == .upstreamLimit)
        #expect(rig.status("b")?.activeCount == 1)
        selector.released(rig.handle("b"))
        // A proposal goes with its selector.
        #expect(selector.accepts(rig.handle("b"), now: rig.now))
        try rig.update { _ in }
        try rig.update { _ in }
    }
}
