import LinuxIO
import TestSupport
import Testing
import WeirStream

/// Tests of faults on the path to an upstream while many datagrams are in flight.
@Suite(.timeLimit(.minutes(1))) struct UDPFaultTests {
    @Test func `an upstream that goes in the middle of a run and comes back gets the next run whole`() async throws {
        let first = try CollectingUpstream()
        let port = first.server.port
        try await withUDP("127.0.0.1:\(port)") { rig in
            let client = try UDPSocket()
            let run = DatagramRun("", equal(500, 60)).datagrams()
            try client.send([0], to: rig.endpoint)
            _ = try first.payloads(atLeast: 1)
            try rig.whileHeld { for datagram in run { try client.send(datagram, to: rig.endpoint) } }
            expectSame(try first.payloads(atLeast: 61), [[0]] + run)
            try first.server.stop()
            try rig.whileHeld { for datagram in run { try client.send(datagram, to: rig.endpoint) } }
            try waitUntil("the run has left") { rig.recorder.forwarded(.ingress) == 121 }
            try rig.recorder.expect(.upstreamFailed(.refused))
            // Back again: an error that is still pending costs none of what follows.
            let second = try CollectingUpstream(port: port)
            try rig.whileHeld { for datagram in run { try client.send(datagram, to: rig.endpoint) } }
            expectSame(try second.payloads(atLeast: 60), run)
            try rig.recorder.expectForwarded(.ingress, 181)
            #expect(rig.recorder.dropped(.ingress) == 0)
            #expect(rig.recorder.count(.opened) == 1)
            #expect(rig.stream.openCount == 1)
        }
    }

    /// The far end of a link, or of a path, with a small MTU.
    enum Side: CaseIterable {
        case client
        case upstream
    }

    @Test(arguments: Side.allCases)
    func `datagrams longer than the packets of the link pass, both ways`(beyond: Side) async throws {
        let home = try NetworkNamespace()
        let far = try NetworkNamespace()
        try NetworkNamespace.connect(home, far)
        for end in [home, far] { try end.ip("link set cable77 mtu 1280") }
        let upstream =
            beyond == .upstream
            ? try far.run { try CollectingUpstream(host: "10.77.0.2") } : try home.run { try CollectingUpstream() }
        try await withUDP(
            "\(upstream.server.endpoint)", listen: beyond == .client ? "udp://10.77.0.1:0" : "udp://127.0.0.1:0",
            engine: EngineSetup(network: home)
        ) { rig in
            let client = try (beyond == .client ? far : home).run {
                try UDPSocket(bindingTo: Endpoint(beyond == .client ? "10.77.0.2" : "127.0.0.1", 0))
            }
            try client.send([1], to: rig.endpoint)
            var wanted = [[UInt8(1)]]
            let session = try upstream.session()
            for run in [
                DatagramRun("", equal(1_400, 30), [1_399], equal(1_200, 20), [0]),
                DatagramRun("", equal(1_252, 5), equal(1_253, 5), [1], equal(3_000, 8), [2_999]),
                DatagramRun("", [65_507, 1]),
            ] {
                let datagrams = run.datagrams()
                wanted += datagrams
                try rig.whileHeld { for datagram in datagrams { try client.send(datagram, to: rig.endpoint) } }
                expectSame(try upstream.payloads(atLeast: wanted.count), wanted)
                try rig.whileHeld {
                    for datagram in datagrams { try upstream.server.send(datagram, to: session) }
                }
                expectSame(try datagrams.map { _ in try client.receive().bytes }, datagrams)
            }
            try rig.kill()
            try rig.waitUntilClosed()
            #expect(rig.recorder.forwarded(.ingress) == wanted.count)
            #expect(rig.recorder.forwarded(.egress) == wanted.count - 1)
            #expect(rig.recorder.dropped(.ingress) + rig.recorder.dropped(.egress) == 0)
            #expect(!rig.recorder.events.contains(.upstreamFailed(.tooBig)))
        }
    }

    @Test func `a datagram too long for the path is told, and the next one of its length passes`() async throws {
        let path = try NarrowPath()
        let upstream = try path.far.run { try CollectingUpstream(host: "10.78.0.2") }
        try await withUDP("\(upstream.server.endpoint)", engine: EngineSetup(network: path.home)) { rig in
            let client = try path.home.run { try UDPSocket() }
            let long = Pattern.bytes(1_400)
            // The router cannot pass it on and says so: the kernel knows the path from then on.
            try client.send(long, to: rig.endpoint)
            try rig.recorder.expect(.upstreamFailed(.tooBig))
            try client.send(long, to: rig.endpoint)
            expectSame(try upstream.payloads(atLeast: 1), [long])
            #expect(rig.recorder.count(.upstreamFailed(.tooBig)) == 1)
            try rig.recorder.expectForwarded(.ingress, 2)
            #expect(rig.recorder.dropped(.ingress) == 0)
            #expect(rig.recorder.count(.opened) == 1)
        }
    }

    @Test(arguments: [0, 1, 15, 31, 63])
    func `a datagram too long for the path costs no other datagram of its batch`(before: Int) async throws {
        let path = try NarrowPath()
        let upstream = try path.far.run { try CollectingUpstream(host: "10.78.0.2") }
        try await withUDP("\(upstream.server.endpoint)", engine: EngineSetup(network: path.home)) { rig in
            let client = try path.home.run { try UDPSocket() }
            try client.send([1], to: rig.endpoint)
            _ = try upstream.payloads(atLeast: 1)
            let sent = DatagramRun("", equal(100, before), [1_400], equal(100, 40)).datagrams()
            try rig.whileHeld { for datagram in sent { try client.send(datagram, to: rig.endpoint) } }
            try waitUntil("all is forwarded or dropped") {
                rig.recorder.forwarded(.ingress) + rig.recorder.dropped(.ingress) == 1 + sent.count
            }
            try client.send([2], to: rig.endpoint)
            // The error that the long one leaves behind meets a later send, which is not to blame for it.
            let wanted = [[1]] + sent.filter { $0.count == 100 } + [[2]]
            try waitUntil("the last one arrives") { upstream.payloads.last == [2] }
            // The long one is lost on the way, unless it left with others and was cut to the link's packets.
            expectSame(upstream.payloads.filter { $0.count != 1_400 }, wanted)
            try rig.recorder.expectForwarded(.ingress, 2 + sent.count)
            #expect(rig.recorder.dropped(.ingress) == 0)
            #expect(rig.recorder.count(.opened) == 1)
        }
    }

    @Test func `a reply too long for the path to the client arrives with the others of its batch`() async throws {
        let path = try NarrowPath()
        let upstream = try path.home.run { try CollectingUpstream() }
        try await withUDP(
            "\(upstream.server.endpoint)", listen: "udp://10.77.0.1:0", engine: EngineSetup(network: path.home)
        ) { rig in
            let client = try path.far.run { try UDPSocket(bindingTo: Endpoint("10.78.0.2", 0)) }
            try client.send([1], to: rig.endpoint)
            let session = try upstream.session()
            let replies = DatagramRun("", equal(100, 31), [1_400], equal(100, 40)).datagrams()
            try rig.whileHeld { for reply in replies { try upstream.server.send(reply, to: session) } }
            expectSame(try replies.map { _ in try client.receive().bytes }, replies)
            try rig.kill()
            try rig.waitUntilClosed()
            #expect(rig.recorder.forwarded(.egress) == replies.count)
            #expect(rig.recorder.dropped(.egress) == 0)
            // What a client's path says is nothing that an upstream did.
            #expect(!rig.recorder.events.contains(.upstreamFailed(.tooBig)))
            #expect(rig.recorder.count(.opened) == 1)
        }
    }
}
