import TestSupport
import Testing
import WeirStream

/// Replies that come faster than they are read overflow the session's socket: each is forwarded or counted as dropped.
@Suite(.timeLimit(.minutes(2))) struct UDPKernelDropTests {
    /// Sends replies to a session while its worker stands still, until its socket must have overflowed.
    private static func flood(_ rig: Rig<UDPStream>, _ upstream: CollectingUpstream, count: Int, size: Int) throws {
        let session = try upstream.session()
        let reply = Pattern.bytes(size)
        try rig.whileHeld { for _ in 0..<count { try upstream.server.send(reply, to: session) } }
    }

    @Test(arguments: [(20_000, 1), (300, 60_000)])
    func `replies that the kernel drops are counted, each once`(count: Int, size: Int) async throws {
        let upstream = try CollectingUpstream()
        try await withUDP("\(upstream.server.endpoint)") { rig in
            let client = try UDPSocket()
            try client.send([1], to: rig.endpoint)
            for round in 1...2 {
                try Self.flood(rig, upstream, count: count, size: size)
                try waitUntil("each reply is forwarded or dropped") {
                    rig.recorder.forwarded(.egress) + rig.recorder.dropped(.egress) == round * count
                }
                #expect(rig.recorder.dropped(.egress, .kernelOverflow) > 0)
                #expect(rig.recorder.dropped(.egress, .kernelOverflow) == rig.recorder.dropped(.egress))
            }
            #expect(rig.recorder.count(.opened) == 1)
            #expect(rig.stream.openCount == 1)
        }
    }

    @Test func `they are counted before the session's end is told, however soon that comes`() async throws {
        let upstream = try CollectingUpstream()
        var settings = UDPSettings()
        settings.responses = 1
        try await withUDP("\(upstream.server.endpoint)", settings: settings) { rig in
            let client = try UDPSocket()
            try client.send([1], to: rig.endpoint)
            try Self.flood(rig, upstream, count: 20_000, size: 1)
            try rig.recorder.expect(.sessionClosed(.responses))
            #expect(rig.recorder.forwarded(.egress) == 1)
            #expect(rig.recorder.dropped(.egress, .kernelOverflow) > 0)
            #expect(rig.recorder.dropped(.egress) == 19_999)
            #expect(rig.recorder.events.last == .sessionClosed(.responses))
        }
    }
}
