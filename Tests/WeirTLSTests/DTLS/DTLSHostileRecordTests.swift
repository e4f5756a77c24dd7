#if TLS
import NetworkTypes
import TestSupport
import Testing
import WeirTLS

@Suite("Records of DTLS that come from elsewhere")
struct DTLSHostileRecordTests {
    private static func record(kind: UInt8, epoch: UInt8, number: UInt8 = 9, _ body: [UInt8]) -> [UInt8] {
        [kind, 0xFE, 0xFD, 0, epoch, 0, 0, 0, 0, 0, number, UInt8(body.count >> 8), UInt8(body.count & 255)] + body
    }

    /// Records that are not authenticated, of every kind and epoch.
    private static let forged: [[UInt8]] = {
        var forged: [[UInt8]] = [
            [], [22], [23, 0xFE, 0xFD], [UInt8](repeating: 0xFF, count: 1_400), [UInt8](repeating: 0, count: 60_000),
            // A hello of an agent's request, and one without an end.
            record(kind: 22, epoch: 0, [1] + [UInt8](repeating: 0, count: 80)),
            record(kind: 22, epoch: 0, [2, 0, 0, 38, 0, 1, 0, 0, 0, 0, 0, 38, 0xFE, 0xFD]),
        ]
        for epoch: UInt8 in [0, 1, 2, 255] {
            for kind: UInt8 in [20, 21, 22, 23, 24, 99] {
                for length in [0, 1, 2, 23, 24, 300, 16_384 + 24, 16_385 + 24, 20_000] {
                    forged.append(record(kind: kind, epoch: epoch, [UInt8](repeating: 2, count: length)))
                }
                forged.append(record(kind: kind, epoch: epoch, [2, 40]))
                forged.append(record(kind: kind, epoch: epoch, [1, 0]))
            }
        }
        return forged
    }()

    @Test("Nothing that is not authenticated changes an open association")
    func openAssociation() throws {
        let (server, client) = try DTLSRig.mutual()
        let rig = try DTLSRig(server, client)
        try rig.shake()
        for datagram in Self.forged {
            rig.arrive(datagram)
            rig.client.give(datagram)
            #expect(rig.client.state == .open && rig.server?.state == .open, "\(datagram.prefix(16))")
            #expect(rig.client.take() == [] && rig.server?.take() == [], "an answer to \(datagram.prefix(16))")
        }
        #expect(rig.client.received == [] && rig.server?.received == [])
        #expect(rig.carries())
    }

    @Test("Replayed, changed and cut records are dropped, and those of one datagram do not take the next one with them")
    func changedRecords() throws {
        let (server, client) = try DTLSRig.mutual()
        let rig = try DTLSRig(server, client)
        try rig.shake()
        let good = try #require(rig.client.seal([UInt8](repeating: 5, count: 40)))
        var generator = SeededGenerator(seed: 5)
        for index in good.indices {
            var changed = good
            changed[index] ^= UInt8.random(in: 1...255, using: &generator)
            rig.arrive(changed)
            rig.arrive(Array(good[..<index]))
        }
        #expect(rig.server?.state == .open && rig.server?.received == [])
        var bad = good
        bad[20] ^= 1
        rig.arrive(bad + good + good)
        rig.arrive(good)
        #expect(rig.server?.received == [[UInt8](repeating: 5, count: 40)])
        #expect(rig.carries())
    }

    @Test("A handshake goes on between records of all kinds that are not its own")
    func duringHandshake() throws {
        let (server, client) = try DTLSRig.mutual()
        let rig = try DTLSRig(server, client)
        // Messages without encryption have no protection at all, and what looks encrypted is kept until the keys are
        // known, within a bound (below): a handshake against such records is left to the owner's next attempt.
        let harmless = Self.forged.filter { $0.count < 14 || $0[0] != 22 && $0[0] != 21 || $0[4] > 1 }
        var flights = 0
        rig.tamper = { datagram, _ in
            flights += 1
            return flights <= 8 ? harmless + [datagram] : [datagram]
        }
        try rig.shake()
        #expect(rig.client.session.alert == 0)
        rig.tamper = { datagram, _ in [datagram] }
        #expect(rig.carries())
    }

    @Test("Encrypted records ahead of the keys are kept within a bound, and a repetition outlives them")
    func earlyRecords() throws {
        let (server, client) = try DTLSRig.mutual()
        let rig = try DTLSRig(server, client)
        let early = Self.record(kind: 22, epoch: 1, [UInt8](repeating: 3, count: 1_000))
        var left = 4
        rig.tamper = { datagram, _ in
            left -= 1
            return left >= 0 ? [[UInt8]](repeating: early, count: 200) + [datagram] : [datagram]
        }
        try rig.shake()
        rig.tamper = { datagram, _ in [datagram] }
        #expect(rig.carries())
    }

    @Test("An alert without encryption ends a handshake only when the peer is silent through two repetitions")
    func forgedAlert() throws {
        let (server, client) = try DTLSRig.mutual()
        let alert = Self.record(kind: 21, epoch: 0, [2, 48])
        let alive = try DTLSRig(server, client)
        alive.tamper = { datagram, isToServer in isToServer ? [datagram] : [alert, datagram, alert] }
        try alive.shake()
        #expect(alive.carries())
        let dead = try DTLSRig(server, client)
        dead.tamper = { _, isToServer in isToServer ? [alert] : [] }
        dead.client.give(alert)
        #expect(dead.client.state == .handshaking)
        try dead.run(until: "the alert is believed") { $0.client.state == .failed }
        #expect(dead.client.session.failure == .alert && dead.client.session.alert == 48)
        #expect(dead.datagramSizes.count >= 2)
    }

    @Test("A hello of a client that has begun anew changes nothing in the association that is open")
    func helloOnOpenAssociation() throws {
        let (server, client) = try DTLSRig.mutual()
        let rig = try DTLSRig(server, client)
        try rig.shake()
        let other = DTLSEnd(try #require(client.connect(to: "a.example.net")))
        for hello in other.take() { rig.server?.give(hello) }
        #expect(rig.server?.state == .open && rig.server?.take() == [])
        #expect(rig.carries())
    }

    @Test("Random bytes and changed flights end in no trap, and never in data", arguments: [1, 2, 3])
    func changedFlights(seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        let (server, client) = try DTLSRig.mutual(repetition: .seconds(60))
        for _ in 0..<fuzzRounds(60) {
            let rig = try DTLSRig(server, client)
            rig.tamper = { datagram, _ in
                var changed = datagram
                for _ in 0..<Int.random(in: 0...2, using: &generator) where !changed.isEmpty {
                    changed[Int.random(in: changed.indices, using: &generator)] ^= UInt8.random(
                        in: 1...255, using: &generator)
                }
                return [changed]
            }
            for _ in 0..<8 { rig.turn() }
            #expect(rig.client.received == [] && rig.server?.received ?? [] == [])
        }
    }
}
#endif
