#if TLS
import NetworkTypes
import TestSupport
import Testing
import WeirTLS

@Suite("The table of DTLS associations")
struct AssociationTableTests {
    private static func path(_ number: Int) -> AssociationPath {
        AssociationPath(
            peer: SocketAddress(IPAddress(v4: 0x0A00_0000 + UInt32(number >> 8)), port: UInt16(1_000 + number % 256)),
            local: .loopbackIPv4)
    }

    private typealias Table = AssociationTable<String>

    @Test("An association is found as a handshake, then as an open one, then not at all")
    func life() {
        var table = Table(maxOpen: 2, maxHandshakes: 2)
        let path = Self.path(1)
        #expect(table.find(path) == (nil, nil))
        let (id, displaced) = table.begin("a", on: path, cookie: [1], at: 5)
        #expect(displaced.isEmpty)
        #expect(table.find(path) == (nil, id))
        #expect(table.find(path, cookie: [1]) == id && table.find(path, cookie: [2]) == nil)
        #expect(table.oldestHandshake?.start == 5 && table.idlest == nil)
        #expect(table.open(id, at: 6).isEmpty)
        #expect(table.open(id, at: 7).isEmpty)
        #expect(table.find(path) == (id, nil) && table.find(path, cookie: [1]) == id)
        #expect(table[id] == "a" && table.path(of: id) == path)
        #expect(table.idlest?.lastActivity == 6 && table.oldestHandshake == nil)
        let removed = table.remove(id)
        #expect(removed?.member == "a" && removed?.wasOpen == true)
        #expect(table.remove(id) == nil && table[id] == nil && table.path(of: id) == nil)
        #expect(table.find(path) == (nil, nil))
        // The place is used again, and the old reference does not mean the new association.
        let next = table.begin("b", on: path, cookie: [1], at: 8).id
        #expect(table[next] == "b" && table[id] == nil && next != id)
    }

    @Test("A new client on a known path stands beside the old one until its handshake is finished")
    func newClient() {
        var table = Table(maxOpen: 4, maxHandshakes: 4)
        let path = Self.path(1)
        let old = table.begin("old", on: path, cookie: [1], at: 0).id
        _ = table.open(old, at: 1)
        let new = table.begin("new", on: path, cookie: [2], at: 2).id
        #expect(table.find(path) == (old, new))
        // It fails: the old one has lost nothing.
        table.remove(new)
        #expect(table.find(path) == (old, nil) && table[old] == "old")
        let again = table.begin("again", on: path, cookie: [3], at: 3).id
        let rival = table.begin("rival", on: path, cookie: [4], at: 4)
        #expect(rival.displaced.map(\.member) == ["again"] && table[again] == nil)
        #expect(table.open(rival.id, at: 5).map(\.member) == ["old"])
        #expect(table.find(path) == (rival.id, nil))
        #expect((table.openCount, table.handshakeCount) == (1, 0))
    }

    @Test("Handshakes displace the oldest handshake, and never an open association")
    func handshakeBound() {
        var table = Table(maxOpen: 3, maxHandshakes: 2)
        for number in 0..<3 {
            let id = table.begin("open \(number)", on: Self.path(number), cookie: [], at: 0).id
            #expect(table.open(id, at: UInt64(number)).isEmpty)
        }
        var displaced: [String] = []
        for number in 10..<20 {
            displaced += table.begin("\(number)", on: Self.path(number), cookie: [], at: 9).displaced.map(\.member)
        }
        #expect(displaced == (10..<18).map(String.init))
        #expect((table.openCount, table.handshakeCount) == (3, 2))
    }

    @Test("An open association displaces the one that is idle longest")
    func openBound() throws {
        var table = Table(maxOpen: 3, maxHandshakes: 2)
        let ids = (0..<3).map { number in
            let id = table.begin("\(number)", on: Self.path(number), cookie: [], at: 0).id
            _ = table.open(id, at: UInt64(number))
            return id
        }
        table.touch(ids[0], at: 10)
        let new = table.begin("new", on: Self.path(9), cookie: [], at: 11).id
        // A handshake is not kept by activity.
        table.touch(new, at: 12)
        #expect(table.oldestHandshake?.start == 11)
        #expect(table.open(new, at: 12).map(\.member) == ["1"])
        #expect(table.idlest?.id == ids[2])
    }

    @Test("Whatever happens, the table agrees with a plain list", arguments: [1, 2, 3])
    func model(seed: Int) throws {
        struct Known {
            let id: Table.ID
            let path: Int
            let name: String
            var isOpen = false
            var time: UInt64
        }
        var generator = SeededGenerator(seed: UInt64(seed))
        var table = Table(maxOpen: 6, maxHandshakes: 4)
        // Oldest first within either kind.
        var known: [Known] = []
        for now in 1...UInt64(fuzzRounds(3_000)) {
            let path = Int.random(in: 0..<9, using: &generator)
            let chosen = known.randomElement(using: &generator)
            var expected: [String] = []
            var found: [String] = []
            switch Int.random(in: 0..<8, using: &generator) {
            case 0..<3:
                let rivals = known.filter { $0.path == path && !$0.isOpen }
                known.removeAll { $0.path == path && !$0.isOpen }
                expected = rivals.map(\.name)
                if known.filter({ !$0.isOpen }).count == 4, let first = known.firstIndex(where: { !$0.isOpen }) {
                    expected.append(known.remove(at: first).name)
                }
                let begun = table.begin("\(now)", on: Self.path(path), cookie: [UInt8(path)], at: now)
                found = begun.displaced.map(\.member)
                known.append(Known(id: begun.id, path: path, name: "\(now)", time: now))
            case 3, 4:
                guard let chosen, !chosen.isOpen else { continue }
                known.removeAll { $0.id == chosen.id }
                if let old = known.firstIndex(where: { $0.path == chosen.path && $0.isOpen }) {
                    expected.append(known.remove(at: old).name)
                }
                if known.filter(\.isOpen).count == 6, let idle = known.firstIndex(where: \.isOpen) {
                    expected.append(known.remove(at: idle).name)
                }
                found = table.open(chosen.id, at: now).map(\.member)
                known.append(Known(id: chosen.id, path: chosen.path, name: chosen.name, isOpen: true, time: now))
            case 5, 6:
                guard let chosen, chosen.isOpen else { continue }
                known.removeAll { $0.id == chosen.id }
                table.touch(chosen.id, at: now)
                known.append(Known(id: chosen.id, path: chosen.path, name: chosen.name, isOpen: true, time: now))
            default:
                guard let chosen else { continue }
                known.removeAll { $0.id == chosen.id }
                found = table.remove(chosen.id).map { [$0.member] } ?? []
                expected = [chosen.name]
            }
            try #require(found == expected, "step \(now)")
            try #require(table.openCount == known.filter(\.isOpen).count)
            try #require(table.handshakeCount == known.filter { !$0.isOpen }.count)
            try #require(table.idlest?.id == known.first(where: \.isOpen)?.id)
            try #require(table.oldestHandshake?.id == known.first { !$0.isOpen }?.id)
            for path in 0..<9 {
                let (open, handshake) = table.find(Self.path(path))
                try #require(open == known.first { $0.path == path && $0.isOpen }?.id)
                try #require(handshake == known.first { $0.path == path && !$0.isOpen }?.id)
            }
        }
    }
}
#endif
