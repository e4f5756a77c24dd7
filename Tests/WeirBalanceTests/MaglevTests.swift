import LinuxIO
import NetworkTypes
import TestSupport
import Testing
import WeirStream

@testable import WeirBalance

@Suite("Maglev")
struct MaglevTests {
    private static func table(_ count: Int, without left: Int? = nil) -> [String] {
        let members = (0..<count).filter { $0 != left }
            .map { MaglevTable.Member(text: "10.0.\($0 / 256).\($0 % 256):5432", weight: 1) }.sorted()
        return MaglevTable(members).ranks.map { members[Int($0)].text }
    }

    @Test("where one of a hundred leaves, at most one percent of the others' places move")
    func oneLeaves() {
        let before = Self.table(100)
        for left in [0, 17, 50, 99] {
            let gone = "10.0.0.\(left):5432"
            let after = Self.table(100, without: left)
            let others = before.indices.filter { before[$0] != gone }
            let moved = others.count { before[$0] != after[$0] }
            #expect(Double(moved) / Double(others.count) <= 0.01, "\(moved) of \(others.count)")
        }
    }

    @Test("each member has its weight's share of the places, within two percent")
    func weights() {
        for weights in [Array(repeating: 1, count: 100), (0..<50).map { $0 % 4 + 1 }, [256, 1, 100]] {
            let members = weights.enumerated().map { MaglevTable.Member(text: "m\($0):1", weight: $1) }.sorted()
            var counts = [Int](repeating: 0, count: members.count)
            for rank in MaglevTable(members).ranks { counts[Int(rank)] += 1 }
            let total = Double(weights.reduce(0, +))
            for (member, count) in zip(members, counts) {
                let share = Double(count) / Double(MaglevTable.size) / (Double(member.weight) / total)
                #expect(abs(share - 1) < 0.02, "\(member): \(share)")
            }
        }
    }

    @Test("instances that share nothing choose alike, whatever the order of their configurations and their names")
    func sharedNothing() throws {
        let first = try Rig(.numbered(20, .maglev), workers: 2)
        var shuffled = BalanceConfiguration.numbered(20, .maglev)
        var generator = SeededGenerator(seed: 5)
        shuffled.members.shuffle(using: &generator)
        for index in shuffled.members.indices { shuffled.members[index].name = "name \(index)" }
        let second = try Rig(shuffled)
        let addresses = Dictionary(uniqueKeysWithValues: shuffled.members.map { ($0.name, $0.address) })
        for index in 0..<10_000 {
            let other = try #require(second.pass(.client(index)))
            #expect(first.pass(.client(index), worker: index % 2) == addresses[other])
        }
    }

    // Computed by another program from the definitions. Other versions of Weir must choose alike, so they never change.
    @Test("hashes and places are those of every version")
    func pinned() throws {
        #expect(ClientHash.hash(try #require(IPAddress("192.0.2.7"))) == 0x8ecb_47c1_4a5e_87ec)
        #expect(ClientHash.hash(try #require(IPAddress("2001:db8::7"))) == 0x8778_9cf1_4a75_5b87)
        let ranks = MaglevTable(["db-1:5432", "db-2:5432", "db-3:6432"].map { .init(text: $0, weight: 1) }).ranks
        #expect(ranks[..<16] == [2, 1, 1, 0, 2, 1, 2, 0, 0, 1, 0, 2, 0, 1, 0, 2])
        let heavy = MaglevTable([.init(text: "a", weight: 3), .init(text: "b", weight: 1)]).ranks
        #expect(heavy[..<16] == [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0])
    }

    @Test("a client is its IPv4 address, also in mapped form, or its IPv6 network of 64 bits, whatever its port")
    func clients() throws {
        let rig = try Rig(.numbered(50, .maglev))
        func choice(_ text: String, port: UInt16 = 1) throws -> String? {
            rig.pass(SocketAddress(try #require(IPAddress(text)), port: port))
        }
        for index in 0..<50 {
            #expect(try choice("198.51.100.\(index)") == choice("::ffff:198.51.100.\(index)", port: 9))
            #expect(try choice("2001:db8:0:\(index)::1") == choice("2001:db8:0:\(index):ffff:2:3:4", port: 9))
        }
        let networks = try Set((0..<200).map { try choice("2001:db8:1:\($0)::1") })
        #expect(networks.count > 40)
    }

    @Test("while a member is down its clients are divided among the others, whose clients stay, and all come back")
    func down() throws {
        let rig = try Rig(.numbered(10, .maglev))
        let clients = (0..<5_000).map { SocketAddress.client($0 &* 7_919) }
        let before = clients.map { rig.pass($0) }
        rig.set.checkResult("m3:1", isUp: false, now: rig.now)
        let during = clients.map { rig.pass($0) }
        var heirs: [String: Int] = [:]
        for (old, new) in zip(before, during) {
            if old == "m3:1" { heirs[try #require(new), default: 0] += 1 } else { #expect(old == new) }
        }
        #expect(heirs.count == 9)
        #expect(heirs["m3:1"] == nil)
        rig.set.checkResult("m3:1", isUp: true, now: rig.now)
        #expect(clients.map { rig.pass($0) } == before)
    }

    @Test("backups have places of their own, and while none is up all are dialed")
    func backups() throws {
        var configuration = BalanceConfiguration.numbered(4, .maglev)
        configuration.members[2].isBackup = true
        configuration.members[3].isBackup = true
        let rig = try Rig(configuration)
        let clients = (0..<400).map { SocketAddress.client($0) }
        #expect(Set(clients.map { rig.pass($0) }) == ["m0:1", "m1:1"])
        for name in ["m0:1", "m1:1"] { rig.set.checkResult(name, isUp: false, now: rig.now) }
        #expect(Set(clients.map { rig.pass($0) }) == ["m2:1", "m3:1"])
        for name in ["m2:1", "m3:1"] { rig.set.checkResult(name, isUp: false, now: rig.now) }
        #expect(Set(clients.map { rig.pass($0) }) == ["m0:1", "m1:1"])
        #expect(rig.pass(tried: ["m0:1", "m1:1"]).map { ["m2:1", "m3:1"].contains($0) } == true)
    }

    @Test("a slow start takes its clients back one after the other, and none twice")
    func slowStart() throws {
        var configuration = BalanceConfiguration.numbered(4, .maglev)
        configuration.slowStart = .seconds(64)
        let rig = try Rig(configuration)
        let clients = (0..<4_000).map { SocketAddress.client($0) }
        let own = clients.filter { rig.pass($0) == "m1:1" }
        rig.set.checkResult("m1:1", isUp: false, now: rig.now)
        rig.set.checkResult("m1:1", isUp: true, now: rig.now)
        var back: Set<Int> = []
        for step in 0...8 {
            let now = Set(own.indices.filter { rig.pass(own[$0]) == "m1:1" })
            #expect(back.isSubset(of: now))
            #expect(abs(Double(now.count) / Double(own.count) - Double(step) / 8) < 0.05, "step \(step)")
            back = now
            rig.now += .seconds(8)
        }
    }

    @Test("sets with the same members share a table, and a table without a set goes")
    func sharedTables() throws {
        let tables = MaglevTables()
        var first: Rig? = try Rig(.numbered(5, .maglev), tables: tables)
        var reordered = BalanceConfiguration.numbered(5, .maglev)
        reordered.members.reverse()
        var second: Rig? = try Rig(reordered, tables: tables)
        #expect(tables.count == 1)
        try second?.update { $0.members[0].weight = 2 }
        #expect(tables.count == 2)
        #expect(first?.pass() != nil && second?.pass() != nil)
        first = nil
        second = nil
        #expect(tables.count == 0)
    }

    @Test("the largest set has a table")
    func largest() throws {
        let rig = try Rig(.numbered(BalanceConfiguration.maxMembers, .maglev))
        #expect(Set((0..<20_000).map { rig.pass(.client($0)) }).count == BalanceConfiguration.maxMembers)
    }
}
