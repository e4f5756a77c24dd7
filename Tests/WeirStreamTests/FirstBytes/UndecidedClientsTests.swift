import NetworkTypes
import TestSupport
import Testing

@testable import WeirStream

@Suite struct UndecidedClientsTests {
    private final class Member: UndecidedMember {
        var position = UndecidedPosition()
        let address: IPAddress

        init(_ address: IPAddress) { self.address = address }
    }

    @Test func `the oldest client of the network with most clients is found`() throws {
        var clients = UndecidedClients()
        #expect(clients.oldestOfLargest == nil)
        let members = try ["192.0.2.1", "192.0.2.2", "192.0.2.2", "2001:db8::1", "2001:db8::2", "2001:db8::3"]
            .map { Member(try #require(IPAddress($0))) }
        for member in members { clients.insert(member, at: member.address) }
        // Three addresses of one /64 are one network.
        #expect(clients.oldestOfLargest === members[3])
        clients.remove(members[3])
        clients.remove(members[3])
        #expect(clients.count == 5)
        clients.remove(members[4])
        #expect(clients.oldestOfLargest === members[1])
        for member in members { clients.remove(member) }
        #expect(clients.isEmpty)
        #expect(clients.oldestOfLargest == nil)
    }

    @Test(arguments: [UInt64](1...UInt64(fuzzRounds(20))))
    func `it agrees with a count over random insertions and removals`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var clients = UndecidedClients()
        var model: [IPAddress: [Member]] = [:]
        for _ in 0..<2_000 {
            let address = IPAddress(v4: UInt32.random(in: 0..<12, using: &generator))
            if Int.random(in: 0..<5, using: &generator) < 3 {
                let member = Member(address)
                clients.insert(member, at: address)
                model[address, default: []].append(member)
            } else if let list = model[address], let index = list.indices.randomElement(using: &generator) {
                clients.remove(list[index])
                model[address]?.remove(at: index)
            }
            let largest = model.values.map(\.count).max() ?? 0
            #expect(clients.count == model.values.reduce(0) { $0 + $1.count })
            if largest > 0 {
                let candidates = model.values.filter { $0.count == largest }.compactMap(\.first)
                #expect(candidates.contains { $0 === clients.oldestOfLargest })
            } else {
                #expect(clients.oldestOfLargest == nil)
            }
        }
        #expect(clients.all.count == clients.count)
        // As their owner does: a client in the table is kept by it.
        for client in clients.all { clients.remove(client) }
        #expect(clients.isEmpty)
    }
}
