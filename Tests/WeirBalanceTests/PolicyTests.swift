import LinuxIO
import NetworkTypes
import Testing
import WeirBalance
import WeirStream

@Suite("The policies")
struct PolicyTests {
    @Test(
        "each share is within two percent of its weight, over two workers",
        arguments: [BalanceMethod.roundRobin, .leastConnections, .maglev],
        [[1, 1, 1, 1], [1, 2, 3, 10], [256, 128, 77]])
    func shares(method: BalanceMethod, weights: [Int]) throws {
        let rig = try Rig(.weighted(weights, method), workers: 2)
        let count = 100_000
        // Clients that stay for a while: as many at once as there are in a hundred thousandth of the count.
        var open: [(String, Int)] = []
        var shares: [String: Int] = [:]
        for index in 0..<count {
            let worker = index % 2
            let name = try #require(rig.choose(.client(index), worker: worker))
            shares[name, default: 0] += 1
            open.append((name, worker))
            if open.count > 1_000 {
                let (old, oldWorker) = open.remove(at: index * 7 % open.count)
                rig.release(old, worker: oldWorker)
            }
        }
        let total = Double(weights.reduce(0, +))
        for (member, weight) in zip(rig.configuration.members, weights) {
            let share = Double(shares[member.name] ?? 0) / Double(count)
            #expect(abs(share / (Double(weight) / total) - 1) < 0.02, "\(member.name): \(share)")
        }
    }

    @Test("in turn, a heavy member is mixed with the others")
    func smooth() throws {
        let rig = try Rig(.weighted([5, 1, 1], .roundRobin))
        let choices = (0..<700).compactMap { _ in rig.pass() }
        var run = 0
        var longest = 0
        for name in choices {
            run = name == "a" ? run + 1 : 0
            longest = max(longest, run)
        }
        #expect(longest <= 4)
        #expect((499...501).contains(choices.count { $0 == "a" }))
        #expect((99...101).contains(choices.count { $0 == "b" }))
    }

    @Test("equal members take turns exactly", arguments: [BalanceMethod.roundRobin, .leastConnections])
    func turns(method: BalanceMethod) throws {
        let rig = try Rig(.weighted([1, 1, 1, 1, 1], method))
        let first = (0..<5).compactMap { _ in rig.pass() }
        #expect(Set(first).count == 5)
        for _ in 0..<20 { #expect((0..<5).compactMap { _ in rig.pass() } == first) }
    }

    @Test("workers do not all begin with the same member", arguments: [BalanceMethod.roundRobin, .leastConnections])
    func staggered(method: BalanceMethod) throws {
        for workers in [2, 3, 4, 8] {
            let rig = try Rig(.numbered(workers, method), workers: workers)
            let firsts = Set((0..<workers).compactMap { rig.pass(worker: $0) })
            #expect(firsts.count * 4 >= workers * 3, "\(workers) workers begin with \(firsts.sorted())")
        }
        // One client after each reload must not always meet the same member.
        let rig = try Rig(.numbered(8, method))
        var firsts: Set<String> = []
        for _ in 0..<16 {
            try rig.update { _ in }
            firsts.formUnion([rig.pass() ?? ""])
        }
        #expect(firsts.count == 8)
    }

    @Test("least_connections counts over all workers, in proportion to the weights")
    func leastConnections() throws {
        let rig = try Rig(.weighted([1, 3], .leastConnections), workers: 2)
        for index in 0..<400 { rig.choose(.client(index), worker: index % 2) }
        #expect(rig.status("a")?.activeCount == 100)
        #expect(rig.status("b")?.activeCount == 300)
        // A second worker sees what the first one has.
        for _ in 0..<90 { rig.release("a", worker: 1) }
        let next = (0..<80).compactMap { rig.choose(.client($0), worker: 0) }
        #expect(next.allSatisfy { $0 == "a" })
    }

    @Test("first takes the first that is up, and the next one for a client that has tried it")
    func first() throws {
        let rig = try Rig(.weighted([1, 1, 1], .first))
        #expect((0..<10).compactMap { _ in rig.pass() } == Array(repeating: "a", count: 10))
        #expect(rig.pass(tried: ["a"]) == "b")
        #expect(rig.pass(tried: ["b", "a"]) == "c")
        #expect(rig.pass(tried: ["a", "b", "c"]) == nil)
        rig.set.checkResult("a", isUp: false, now: rig.now)
        #expect(rig.pass() == "b")
        rig.set.checkResult("a", isUp: true, now: rig.now)
        #expect(rig.pass() == "a")
    }

    @Test("no policy chooses a member that was tried, is down, ejected or drains", arguments: BalanceMethod.allCases)
    func avoided(method: BalanceMethod) throws {
        let rig = try Rig(.numbered(10, method), workers: 2)
        rig.set.checkResult("m1:1", isUp: false, now: rig.now)
        rig.set.setDraining("m2:1", to: true, now: rig.now)
        rig.set.engineResult("m3:1", isUp: false, now: rig.now)
        for _ in 0..<5 { rig.dial("m4:1", .refused) }
        for index in 0..<500 {
            let name = try #require(rig.pass(.client(index), worker: index % 2, tried: ["m5:1", "m6:1"]))
            #expect(!["m1:1", "m2:1", "m3:1", "m4:1", "m5:1", "m6:1"].contains(name))
        }
        #expect(rig.pass(tried: rig.configuration.members.map(\.name)) == nil)
    }

    @Test("retries of one client do not take turns from others: what it tried stays next")
    func retries() throws {
        let rig = try Rig(.weighted([1, 1, 1], .roundRobin))
        let order = (0..<3).compactMap { _ in rig.pass() }
        #expect(rig.pass(tried: [order[0]]) == order[1])
        #expect(rig.pass() == order[0])
    }

    @Test("a member that could not be chosen for long does not make up for it")
    func noBurst() throws {
        var configuration = BalanceConfiguration.weighted([1, 1], .roundRobin)
        configuration.members[0].maxConnections = 1
        let rig = try Rig(configuration)
        while rig.choose() != "a" {}
        for _ in 0..<1_000 { #expect(rig.pass() == "b") }
        rig.release("a")
        let choices = (0..<20).compactMap { _ in rig.pass() }
        #expect((9...11).contains(choices.count { $0 == "a" }))
    }

    @Test("handles of other configurations are no members", arguments: BalanceMethod.allCases)
    func staleHandles(method: BalanceMethod) throws {
        let rig = try Rig(.weighted([1, 1], method))
        let stale = UpstreamHandle(slot: 0, generation: 77)
        let beyond = UpstreamHandle(slot: 9, generation: 1)
        for handle in [stale, beyond] {
            let selector = rig.selectors[0]
            selector.chosen(handle)
            selector.dialEnded(handle, failure: .refused, now: rig.now)
            selector.answered(handle, now: rig.now)
            selector.brokeUnanswered(handle, isAsked: false, now: rig.now)
            selector.leftUnanswered(handle, now: rig.now)
            selector.released(handle)
            #expect(!selector.accepts(handle, now: rig.now))
        }
        #expect(rig.set.status(now: rig.now).map(\.activeCount) == [0, 0])
    }
}
