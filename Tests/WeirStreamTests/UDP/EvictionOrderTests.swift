import NetworkTypes
import TestSupport
import Testing

@testable import WeirStream

@Suite struct EvictionOrderTests {
    private final class Member: Evictable {
        let name: Int
        let network: ClientNetwork?
        var lastActivity: UInt64 = 0
        var slot: EvictionOrder<Member>.Slot = -1
        var isAssured = false

        init(_ name: Int, _ network: ClientNetwork?) {
            self.name = name
            self.network = network
        }
    }

    /// An order and its members, for tests.
    private struct Table {
        var order = EvictionOrder<Member>()
        var members: [Member] = []

        @discardableResult
        mutating func insert(_ network: ClientNetwork?, isAssured: Bool = false) -> Member {
            let member = Member(members.count, network)
            member.slot = order.insert(member, of: network)
            members.append(member)
            if isAssured { assure(member) }
            return member
        }

        mutating func assure(_ member: Member) {
            member.isAssured = true
            order.assure(member.slot)
        }

        mutating func remove(_ member: Member) { order.remove(&member.slot) }

        /// Makes room for one of the network; returns the victim, or nil.
        @discardableResult
        mutating func replace(for network: ClientNetwork?) -> Member? {
            guard let victim = order.victim(for: network) else { return nil }
            remove(victim)
            insert(network)
            return victim
        }
    }

    private static func network(_ number: UInt32) -> ClientNetwork { ClientNetwork(IPAddress(v4: number)) }

    @Test func `addresses of one slash 64 are one network, and no IPv4 address is among them`() throws {
        let (first, second) = (try #require(IPAddress("2001:db8::1")), try #require(IPAddress("2001:db8::2:1")))
        #expect(ClientNetwork(first) == ClientNetwork(second))
        #expect(ClientNetwork(first) != ClientNetwork(try #require(IPAddress("2001:db8:0:1::1"))))
        #expect(ClientNetwork(IPAddress(v4: 1)) != ClientNetwork(IPAddress(v4: 2)))
    }

    @Test func `where no network is large the oldest unassured member makes room`() {
        var table = Table()
        for number in 0..<100 { table.insert(Self.network(UInt32(number)), isAssured: number % 2 == 0) }
        let victims = (0..<50).map { _ in table.replace(for: Self.network(1_000))?.name }
        // The network of the new members becomes the largest one, and then makes room within itself.
        #expect(victims.prefix(4) == [1, 3, 5, 7])
        #expect(table.members.prefix(100).count { $0.slot >= 0 } > 80)
    }

    @Test func `one network that has filled the table makes room for the others, although it is assured`() {
        var table = Table()
        let hostile = Self.network(0)
        for _ in 0..<1_000 { table.insert(hostile, isAssured: true) }
        for number in 1...200 {
            let victim = table.replace(for: Self.network(UInt32(number)))
            #expect(victim?.network == hostile)
            // Its own new members find no room.
            #expect(table.replace(for: hostile) == nil)
        }
        #expect(table.order.unassuredCount == 200)
    }

    @Test func `a flood of forged sources does not push out the assured members of a network`() {
        var table = Table()
        let shared = Self.network(0)
        for _ in 0..<20 { table.insert(shared, isAssured: true) }
        for number in 1...180 { table.insert(Self.network(UInt32(number))) }
        for number in 1_000..<11_000 {
            #expect(table.replace(for: Self.network(UInt32(number)))?.isAssured == false)
        }
    }

    @Test func `in a network that makes room, unassured members go first, then silent ones, then active ones`() {
        var table = Table()
        let hostile = Self.network(0)
        let active = (0..<3).map { _ in table.insert(hostile, isAssured: true) }
        let silent = (0..<3).map { _ in table.insert(hostile, isAssured: true) }
        let unassured = table.insert(hostile)
        for member in active { member.lastActivity = 5 }
        let victims = (1...4).map { table.replace(for: Self.network(UInt32($0)))?.name }
        // Afterwards the others hold as much.
        #expect(victims == [unassured.name] + silent.map(\.name))
        #expect(active.allSatisfy { $0.slot >= 0 })
    }

    @Test func `members without a network of their own are not counted as one`() {
        var table = Table()
        for _ in 0..<100 { table.insert(nil, isAssured: true) }
        #expect(table.replace(for: Self.network(1)) == nil)
        let unassured = table.insert(nil)
        #expect(table.replace(for: Self.network(1)) === unassured)
    }

    /// The choice by counting every member.
    private static func isRight(_ victim: Member?, for network: ClientNetwork?, _ members: [Member]) -> Bool {
        let counts = Dictionary(grouping: members.filter { $0.network != nil }, by: { $0.network! })
        let unassured = members.filter { !$0.isAssured }
        let own = network.flatMap { counts[$0]?.count } ?? 0
        let largest = counts.values.map(\.count).max() ?? 0
        let isOwn = network != nil && own + 1 >= largest
        func isLarge(_ crowd: [Member]) -> Bool {
            crowd.count > max(4, members.count / 8)
                || crowd.count > unassured.count - crowd.count { !$0.isAssured }
        }
        let candidates = isOwn ? [counts[network!] ?? []] : counts.values.filter { $0.count == largest }
        return candidates.contains { crowd in
            guard !crowd.isEmpty, isLarge(crowd) else { return victim === unassured.first }
            if let first = crowd.first(where: { !$0.isAssured }) { return victim === first }
            if isOwn || crowd.count < 2 { return victim == nil }
            return victim.map { member in crowd.contains { $0 === member } } ?? false
        } || candidates.isEmpty && victim === unassured.first
    }

    @Test(arguments: [UInt64](1...UInt64(fuzzRounds(20))))
    func `it agrees with a count over random insertions and removals`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var table = Table()
        var live: [Member] = []
        for _ in 0..<2_000 {
            let number = UInt32.random(in: 0..<12, using: &generator)
            let network = number == 0 ? nil : Self.network(number * number / 9)
            switch Int.random(in: 0..<8, using: &generator) {
            case 0..<4: live.append(table.insert(network))
            case 4..<6:
                if let member = live.randomElement(using: &generator) {
                    member.lastActivity += 1
                    table.assure(member)
                }
            default:
                if let index = live.indices.randomElement(using: &generator) { table.remove(live.remove(at: index)) }
            }
            #expect(table.order.count == live.count)
            #expect(table.order.unassuredCount == live.count { !$0.isAssured })
            let victim = table.order.victim(for: network)
            #expect(Self.isRight(victim, for: network, live))
        }
        for member in live { table.remove(member) }
        #expect(table.order.count == 0)
        let last = table.order.victim(for: nil)
        #expect(last == nil)
    }
}
