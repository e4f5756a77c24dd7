import LinuxIO
import TestSupport
import Testing
import WeirStream

/// Runs of datagrams that are there all at once, so that they are read and sent in batches, and in one piece where they
/// are equally long: each must arrive as it was sent, in order, once, and be counted as one.
@Suite(.timeLimit(.minutes(1))) struct UDPRunTests {
    /// The bytes that one test sends at once: they fit every socket buffer, also with the default `rmem_max`.
    static let runs: [DatagramRun] = [
        DatagramRun("two equal", equal(100, 2)),
        DatagramRun("100 of one byte", equal(1, 100)),
        DatagramRun("100 of 700", equal(700, 100)),
        DatagramRun("31, 32 and 33 equal", equal(300, 31), equal(200, 32), equal(250, 33)),
        DatagramRun("63 and 64 equal", equal(100, 63), equal(101, 64)),
        DatagramRun("65 and 66 equal", equal(100, 65), equal(101, 66)),
        DatagramRun("a shorter last one", equal(1_200, 20), [1], equal(1_200, 20), [1_199]),
        DatagramRun("a longer one after a shorter", equal(1_200, 9), [500], equal(1_200, 9), [1_500, 1_200, 1_201]),
        DatagramRun("each longer than the one before", (1...90).map { $0 * 7 }),
        DatagramRun("each shorter than the one before", (1...90).map { (91 - $0) * 7 }),
        DatagramRun("two sizes by turns", (0..<80).map { 700 + $0 % 2 }),
        DatagramRun("empty ones alone", equal(0, 40)),
        DatagramRun("empty ones between", [0, 0, 0], equal(90, 5), [0], equal(90, 5), [0, 90, 0, 1, 0, 0]),
        DatagramRun("around what fits Ethernet", equal(1_472, 12), equal(1_473, 12), equal(1_471, 12), [1_472, 1_473]),
        DatagramRun("two that fit one packet together", equal(32_753, 2), [5]),
        DatagramRun("two that do not", equal(32_754, 2), [5]),
        DatagramRun("64 that fit one packet together", equal(1_023, 64)),
        DatagramRun("64 that do not", equal(1_024, 64)),
        DatagramRun("the largest", [65_507, 1, 65_507, 0, 65_506]),
    ]

    private static let mixed = DatagramRun(
        "mixed", equal(700, 40), [20], equal(800, 20), [0], equal(1, 20), [9_000, 9_000, 9_001])

    @Test(arguments: runs) func `a run towards the upstream arrives as it was sent`(run: DatagramRun) async throws {
        try await Self.checkIngress(run)
    }

    @Test(arguments: runs) func `a run towards the client arrives as it was sent`(run: DatagramRun) async throws {
        try await Self.checkEgress(run)
    }

    @Test(arguments: [
        ("udp4://:0", "127.0.0.2", "127.0.0.1"), ("udp://:0", "127.0.0.2", "::1"), ("udp://:0", "::1", "127.0.0.1"),
        ("udp6://[::1]:0", "::1", "::1"),
    ])
    func `also on a wildcard bind and over IPv6`(listen: String, host: String, upstreamHost: String) async throws {
        try await Self.checkIngress(Self.mixed, listen: listen, host: host, upstreamHost: upstreamHost)
        try await Self.checkEgress(Self.mixed, listen: listen, host: host, upstreamHost: upstreamHost)
    }

    @Test(arguments: [[1_200, 300], [1, 1], [8_192, 8_191], [500, 500]])
    func `what a sender has the kernel cut arrives as single datagrams, both ways`(sizes: [Int]) async throws {
        let (size, last) = (sizes[0], sizes[1])
        let count = min(60, 60_000 / size)
        // One send each: equally long ones, with a last one that may be shorter.
        let pieces = DatagramRun("cut", equal(size, count - 1), [last]).datagrams()
        let upstream = try CollectingUpstream()
        try await withUDP("\(upstream.server.endpoint)") { rig in
            let client = try UDPSocket()
            try client.send([1], to: rig.endpoint)
            let session = try upstream.session()
            try client.cutSends(into: size)
            try rig.whileHeld {
                try client.send(Array(pieces.joined()), to: rig.endpoint)
                try client.send(Array(pieces.joined()), to: rig.endpoint)
            }
            expectSame(try upstream.payloads(atLeast: 1 + 2 * count), [[1]] + pieces + pieces)
            // The upstream's own sends, from the socket that the session is connected to.
            try upstream.server.send(Array(pieces.joined()), to: session, cutInto: size)
            for piece in pieces { #expect(try client.receive().bytes == piece) }
            try rig.kill()
            try rig.waitUntilClosed()
            #expect(rig.recorder.forwarded(.ingress) == 1 + 2 * count)
            #expect(rig.recorder.forwardedBytes(.ingress) == 1 + 2 * pieces.joined().count)
            #expect(rig.recorder.forwarded(.egress) == count)
            #expect(rig.recorder.forwardedBytes(.egress) == pieces.joined().count)
            #expect(rig.recorder.dropped(.ingress) + rig.recorder.dropped(.egress) == 0)
            #expect(!client.isReadable())
        }
    }

    @Test func `runs of two clients that come mixed go to their own sessions`() async throws {
        let upstream = try CollectingUpstream()
        try await withUDP("\(upstream.server.endpoint)") { rig in
            let clients = try (0..<3).map { _ in try UDPSocket() }
            for (number, client) in clients.enumerated() { try client.send([UInt8(number)], to: rig.endpoint) }
            _ = try upstream.payloads(atLeast: clients.count)
            let runs = (0..<clients.count).map { DatagramRun("", equal(400, 60)).datagrams(seed: $0 + 1) }
            try rig.whileHeld {
                // Turns of one, two, three and so on, all datagrams equally long.
                var next = [0, 0, 0]
                for turn in 0... {
                    let number = turn % clients.count
                    for _ in 0...turn % 5 where next[number] < 60 {
                        try clients[number].send(runs[number][next[number]], to: rig.endpoint)
                        next[number] += 1
                    }
                    if next == [60, 60, 60] { break }
                }
            }
            _ = try upstream.payloads(atLeast: clients.count * 61)
            let bySession = Dictionary(grouping: upstream.datagrams, by: \.source).values.map { $0.map(\.bytes) }
            #expect(bySession.count == clients.count)
            for payloads in bySession {
                let number = Int(payloads[0][0])
                expectSame(payloads, [[UInt8(number)]] + runs[number])
            }
            try rig.recorder.expectForwarded(.ingress, clients.count * 61)
        }
    }

    private static func checkIngress(
        _ run: DatagramRun, listen: String = "udp://127.0.0.1:0", host: String = "127.0.0.1",
        upstreamHost: String = "127.0.0.1"
    ) async throws {
        let upstream = try CollectingUpstream(host: upstreamHost)
        try await withUDP("\(upstream.server.endpoint)", listen: listen) { rig in
            let endpoint = Endpoint(host, rig.stream.localAddress.port)
            let client = try UDPSocket(bindingTo: Endpoint(host, 0))
            let run = run.datagrams()
            // The first opens the session; the last shows that nothing else follows the run.
            let wanted = [[1, 2]] + run + [[3, 4]]
            try client.send(wanted[0], to: endpoint)
            _ = try upstream.payloads(atLeast: 1)
            try rig.whileHeld { for datagram in run { try client.send(datagram, to: endpoint) } }
            _ = try upstream.payloads(atLeast: 1 + run.count)
            try client.send([3, 4], to: endpoint)
            expectSame(try upstream.payloads(atLeast: wanted.count), wanted)
            try Self.expectCounted(rig, .ingress, wanted)
        }
    }

    private static func checkEgress(
        _ run: DatagramRun, listen: String = "udp://127.0.0.1:0", host: String = "127.0.0.1",
        upstreamHost: String = "127.0.0.1"
    ) async throws {
        let upstream = try CollectingUpstream(host: upstreamHost)
        try await withUDP("\(upstream.server.endpoint)", listen: listen) { rig in
            let endpoint = Endpoint(host, rig.stream.localAddress.port)
            let client = try UDPSocket(bindingTo: Endpoint(host, 0))
            try client.send([1, 2], to: endpoint)
            let session = try upstream.session()
            let run = run.datagrams()
            try rig.whileHeld { for datagram in run { try upstream.server.send(datagram, to: session) } }
            var got: [[UInt8]] = []
            while got.count < run.count { got.append(try Self.reply(client, from: endpoint)) }
            expectSame(got, run)
            try upstream.server.send([3, 4], to: session)
            #expect(try Self.reply(client, from: endpoint) == [3, 4])
            try Self.expectCounted(rig, .egress, run + [[3, 4]])
        }
    }

    private static func reply(_ client: UDPSocket, from endpoint: Endpoint) throws -> [UInt8] {
        let reply = try client.receive()
        #expect(reply.source == endpoint)
        return reply.bytes
    }

    /// Ends the stream, so that all is told, and expects these datagrams to be what it carried in that direction.
    private static func expectCounted(
        _ rig: Rig<UDPStream>, _ direction: Direction, _ datagrams: [[UInt8]]
    ) throws {
        try rig.kill()
        try rig.waitUntilClosed()
        let bytes = datagrams.reduce(0) { $0 + $1.count }
        let recorder = rig.recorder
        #expect(recorder.forwarded(direction) == datagrams.count)
        #expect(recorder.forwardedBytes(direction) == bytes)
        #expect(recorder.dropped(.ingress) + recorder.dropped(.egress) == 0)
        let totals = recorder.totals
        #expect(totals.count == 1)
        let carried = totals.first.map {
            direction == .ingress ? ($0.ingressDatagrams, $0.ingressBytes) : ($0.egressDatagrams, $0.egressBytes)
        }
        #expect(carried?.0 == UInt64(datagrams.count))
        #expect(carried?.1 == UInt64(bytes))
    }
}
