import LinuxIO
import NetworkTypes
import Synchronization
import TestSupport
import Testing
import WeirAccess

@Suite(.timeLimit(.minutes(2))) struct ClientCountsTests {
    private let counts = ClientCounts()
    private let scope = LimitScope("a")

    private func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

    @Test func `a client has as many as its limit, and more when one is given back`() throws {
        let client = try address("192.0.2.7")
        let slots = (0..<3).compactMap { _ in counts.enter(client, scope, limit: 3) }
        #expect(slots.count == 3)
        #expect(counts.enter(client, scope, limit: 3) == nil)
        #expect(counts.count(of: client, scope) == 3)
        counts.leave(slots[1])
        #expect(counts.enter(client, scope, limit: 3) != nil)
        #expect(counts.enter(client, scope, limit: 3) == nil)
        // Another limit, as after a reload, over the same count.
        #expect(counts.enter(client, scope, limit: 4) != nil)
        #expect(counts.enter(client, scope, limit: 2) == nil)
        #expect(counts.count(of: client, scope) == 4)
    }

    @Test func `clients and scopes do not count for each other`() throws {
        let (one, other) = (try address("192.0.2.7"), try address("192.0.2.8"))
        #expect(counts.enter(one, scope, limit: 1) != nil)
        #expect(counts.enter(one, scope, limit: 1) == nil)
        #expect(counts.enter(other, scope, limit: 1) != nil)
        #expect(counts.enter(one, LimitScope("b"), limit: 1) != nil)
        #expect(counts.enter(one, LimitScope("a"), limit: 1) == nil)
    }

    @Test func `IPv4 counts by address, also in its mapped form, and IPv6 by its 64-bit network`() throws {
        #expect(counts.enter(try address("::ffff:192.0.2.7"), scope, limit: 1) != nil)
        #expect(counts.enter(try address("192.0.2.7"), scope, limit: 1) == nil)
        #expect(counts.enter(try address("2001:db8:1:2::7"), scope, limit: 1) != nil)
        #expect(counts.enter(try address("2001:db8:1:2:ffff::9"), scope, limit: 1) == nil)
        #expect(counts.enter(try address("2001:db8:1:3::7"), scope, limit: 1) != nil)
        #expect(counts.enter(try address("::1"), scope, limit: 1) != nil)
        #expect(counts.enter(try address("0.0.0.0"), scope, limit: 1) != nil)
    }

    @Test func `eight threads never get a client beyond its limit, and leave nothing behind`() throws {
        let clients = (0..<4).map { IPAddress(v4: 0xc000_0200 + UInt32($0)) }
        let limit = 3
        let inside = AtomicWords(count: clients.count)
        let most = AtomicWords(count: clients.count)
        let admitted = Atomic<Int>(0)
        let refused = Atomic<Int>(0)
        try onThreads(8) { [counts, scope] index in
            var generator = SeededGenerator(seed: UInt64(index))
            for _ in 0..<50_000 {
                let client = Int.random(in: 0..<clients.count, using: &generator)
                guard let slot = counts.enter(clients[client], scope, limit: limit) else {
                    refused.add(1, ordering: .relaxed)
                    continue
                }
                let now = inside.add(client, 1)
                if now > most.load(client) { _ = most.replace(client, most.load(client), with: now) }
                if now > UInt64(limit) { Issue.record("\(now) are in at once") }
                admitted.add(1, ordering: .relaxed)
                inside.subtract(client, 1)
                counts.leave(slot)
            }
        }
        #expect(admitted.load(ordering: .relaxed) + refused.load(ordering: .relaxed) == 400_000)
        for client in clients { #expect(counts.count(of: client, scope) == 0) }
    }

    @Test func `where there is room for all, no client is refused`() throws {
        let client = IPAddress(v4: 1)
        let refused = Atomic<Int>(0)
        try onThreads(8) { [counts, scope] _ in
            for _ in 0..<50_000 {
                if let slot = counts.enter(client, scope, limit: 8) {
                    counts.leave(slot)
                } else {
                    refused.add(1, ordering: .relaxed)
                }
            }
        }
        #expect(refused.load(ordering: .relaxed) == 0)
        #expect(counts.count(of: client, scope) == 0)
    }

    @Test func `20,000 clients at once all find room, and leave it`() {
        var slots: [ClientCounts.Slot] = []
        for client in 0..<20_000 {
            let address = IPAddress(high: 0x2001_0db8_0000_0000 | UInt64(client), low: 1)
            for _ in 0..<2 {
                guard let slot = counts.enter(address, scope, limit: 2) else {
                    Issue.record("client \(client) finds no room")
                    return
                }
                slots.append(slot)
            }
            if counts.enter(address, scope, limit: 2) != nil { Issue.record("client \(client) has three") }
        }
        #expect(Set(slots).count == 20_000)
        for slot in slots { counts.leave(slot) }
        for client in 0..<20_000 {
            let address = IPAddress(high: 0x2001_0db8_0000_0000 | UInt64(client), low: 1)
            if counts.count(of: address, scope) != 0 { Issue.record("client \(client) left something") }
        }
    }
}
