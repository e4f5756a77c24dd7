import TestSupport
import Testing
import WeirStream

/// A route that bounds what a client gets which may be forged: so many bytes for each byte of it, until it has spoken
/// again after a reply.
@Suite(.timeLimit(.minutes(1))) struct UDPAmplificationTests {
    /// Sends replies of these sizes at once, and returns the sizes of those that the client gets: as many as expected.
    private static func reply(
        _ rig: Rig<UDPStream>, _ upstream: CollectingUpstream, _ sizes: [Int], to client: UDPSocket, expecting: Int
    ) throws -> [Int] {
        let session = try #require(upstream.datagrams.last?.source)
        let seen = rig.recorder.forwarded(.egress) + rig.recorder.dropped(.egress)
        try rig.whileHeld { for size in sizes { try upstream.server.send(Pattern.bytes(size), to: session) } }
        try waitUntil("all are forwarded or dropped") {
            rig.recorder.forwarded(.egress) + rig.recorder.dropped(.egress) == seen + sizes.count
        }
        let got = try (0..<expecting).map { _ in try client.receive().bytes.count }
        #expect(!client.isReadable())
        return got
    }

    @Test func `three times what came in goes out, until the client has spoken again`() async throws {
        let upstream = try CollectingUpstream()
        try await withUDP("\(upstream.server.endpoint)", settings: UDPSettings(amplification: 3)) { rig in
            let client = try UDPSocket()
            try client.send(Pattern.bytes(100), to: rig.endpoint)
            _ = try upstream.payloads(atLeast: 1)
            let first = try Self.reply(rig, upstream, [100, 250, 100, 101, 100, 1, 0], to: client, expecting: 4)
            #expect(first == [100, 100, 100, 0])
            #expect(rig.recorder.dropped(.egress, .amplification) == 3)
            #expect(rig.recorder.dropped(.egress) == 3)
            try client.send([1], to: rig.endpoint)
            _ = try upstream.payloads(atLeast: 2)
            let second = try Self.reply(rig, upstream, [1_000, 60_000, 1_000], to: client, expecting: 3)
            #expect(second == [1_000, 60_000, 1_000])
            #expect(rig.recorder.dropped(.egress, .amplification) == 3)
            #expect(rig.recorder.count(.opened) == 1)
        }
    }

    @Test func `each datagram before a reply adds to it, and one that got no reply does not lift it`() async throws {
        let upstream = try CollectingUpstream()
        try await withUDP("\(upstream.server.endpoint)", settings: UDPSettings(amplification: 2)) { rig in
            let client = try UDPSocket()
            for count in 1...2 {
                try client.send(Pattern.bytes(10), to: rig.endpoint)
                _ = try upstream.payloads(atLeast: count)
                #expect(try Self.reply(rig, upstream, [1_000], to: client, expecting: 0) == [])
            }
            #expect(try Self.reply(rig, upstream, [41, 40], to: client, expecting: 1) == [40])
            #expect(rig.recorder.dropped(.egress, .amplification) == 3)
        }
    }

    @Test func `a datagram that is sent again, to another upstream, counts once`() async throws {
        let dead = try Endpoint("127.0.0.1", Ports.free())
        let upstream = try CollectingUpstream()
        try await withUDP(
            "\(dead)", "\(upstream.server.endpoint)", settings: UDPSettings(amplification: 3)
        ) { rig in
            let client = try UDPSocket()
            try client.send(Pattern.bytes(10), to: rig.endpoint)
            _ = try upstream.payloads(atLeast: 1)
            #expect(try Self.reply(rig, upstream, [31, 30], to: client, expecting: 1) == [30])
        }
    }

    @Test func `what is over uses up no bandwidth`() async throws {
        let asked = Box(0)
        let hooks = StreamHooks(policeDatagram: { _, direction, _ in
            if direction == .egress { asked.update { $0 += 1 } }
            return true
        })
        let upstream = try CollectingUpstream()
        try await withUDP(
            "\(upstream.server.endpoint)", settings: UDPSettings(amplification: 3), hooks: hooks
        ) { rig in
            let client = try UDPSocket()
            try client.send([1], to: rig.endpoint)
            _ = try upstream.payloads(atLeast: 1)
            #expect(try Self.reply(rig, upstream, [4, 4, 3, 4], to: client, expecting: 1) == [3])
            #expect(asked.value == 1)
        }
    }

    @Test func `it is off by default`() async throws {
        let upstream = try CollectingUpstream()
        try await withUDP("\(upstream.server.endpoint)") { rig in
            let client = try UDPSocket()
            try client.send([1], to: rig.endpoint)
            _ = try upstream.payloads(atLeast: 1)
            #expect(try Self.reply(rig, upstream, [60_000, 60_000], to: client, expecting: 2) == [60_000, 60_000])
        }
    }
}
