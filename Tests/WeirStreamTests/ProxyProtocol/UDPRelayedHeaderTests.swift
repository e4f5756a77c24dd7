import LinuxIO
import TestSupport
import Testing
import WeirStream

/// PROXY headers in front of datagrams to upstreams.
@Suite(.timeLimit(.minutes(1))) struct UDPRelayedHeaderTests {
    @Test(arguments: [("udp4://127.0.0.1:0", "127.0.0.1"), ("udp://:0", "::1"), ("udp4://:0", "127.0.0.2")])
    func `the first datagram of a session has the header, and no other one`(listen: String, host: String) async throws {
        let upstream = try CollectingUpstream()
        try await withUDP("\(upstream.server.endpoint)", listen: listen, settings: Proxied.relaying(.first)) { rig in
            let asked = Endpoint(host, rig.stream.localAddress.port)
            let client = try UDPSocket(bindingTo: Endpoint(asked.isIPv6 ? "::1" : "127.0.0.1", 0))
            let header = try Proxied.datagramHeader(
                from: try client.localEndpoint.description, to: asked.description)
            let run = DatagramRun("", equal(1_200, 30), [0, 5]).datagrams()
            try rig.whileHeld { for datagram in run { try client.send(datagram, to: asked) } }
            expectSame(try upstream.payloads(atLeast: run.count), [header + run[0]] + run.dropFirst())
            try client.send([7], to: asked)
            #expect(try upstream.payloads(atLeast: run.count + 1).last == [7])
            try waitUntil("all are told") { rig.recorder.forwarded(.ingress) == run.count + 1 }
            // The header is none of the client's bytes.
            #expect(rig.recorder.forwardedBytes(.ingress) == 30 * 1_200 + 5 + 1)
        }
    }

    @Test func `every datagram has the header where that is asked for, runs of equal ones included`() async throws {
        let upstream = try CollectingUpstream()
        try await withUDP("\(upstream.server.endpoint)", settings: Proxied.relaying(.each)) { rig in
            let client = try UDPSocket()
            let header = try Proxied.datagramHeader(
                from: "127.0.0.1:\(try client.localEndpoint.port)", to: rig.endpoint.description)
            try client.send([1], to: rig.endpoint)
            let session = try upstream.session()
            let run = DatagramRun("", equal(1_000, 40), [0], equal(300, 10), [299]).datagrams()
            try rig.whileHeld { for datagram in run { try client.send(datagram, to: rig.endpoint) } }
            expectSame(
                try upstream.payloads(atLeast: run.count + 1), [header + [1]] + run.map { header + $0 })
            #expect(rig.recorder.forwardedBytes(.ingress) == 1 + 40_000 + 3_000 + 299)
            // Answers are the upstream's own.
            try upstream.server.send([9], to: session)
            #expect(try client.receive().bytes == [9])
        }
    }

    @Test(arguments: [DatagramHeaders.first, .each])
    func `a datagram that the header makes too long is dropped, and the next one has it`(
        headers: DatagramHeaders
    ) async throws {
        let upstream = try CollectingUpstream()
        try await withUDP("\(upstream.server.endpoint)", settings: Proxied.relaying(headers)) { rig in
            let client = try UDPSocket()
            let header = try Proxied.datagramHeader(
                from: "127.0.0.1:\(try client.localEndpoint.port)", to: rig.endpoint.description)
            let tooLong = Pattern.bytes(65_507 - header.count + 1)
            let longest = Pattern.bytes(65_507 - header.count, seed: 2)
            try rig.whileHeld { for bytes in [tooLong, longest, [3]] { try client.send(bytes, to: rig.endpoint) } }
            let wanted = [header + longest, headers == .each ? header + [3] : [3]]
            expectSame(try upstream.payloads(atLeast: 2), wanted)
            #expect(rig.recorder.dropped(.ingress, .tooLarge) == 1)
            #expect(rig.recorder.dropped(.ingress) == 1)
            try waitUntil("both are told") { rig.recorder.forwarded(.ingress) == 2 }
            #expect(rig.recorder.forwardedBytes(.ingress) == longest.count + 1)
        }
    }

    @Test func `datagrams that waited for a hook leave with the header in front of the first`() async throws {
        let upstream = try CollectingUpstream()
        let isOpen = Box(false)
        let hooks = StreamHooks(preDial: { _ in
            try await offPool { try waitUntil("the hook may end") { isOpen.value } }
            return .dial
        })
        for headers in [DatagramHeaders.first, .each] {
            let before = upstream.count
            isOpen.set(false)
            try await withUDP("\(upstream.server.endpoint)", settings: Proxied.relaying(headers), hooks: hooks) { rig in
                let client = try UDPSocket()
                let header = try Proxied.datagramHeader(
                    from: "127.0.0.1:\(try client.localEndpoint.port)", to: rig.endpoint.description)
                for number in 0..<3 { try client.send([UInt8(number)], to: rig.endpoint) }
                try rig.recorder.expect(.opened)
                rig.finishTurns()
                isOpen.set(true)
                let got = try upstream.payloads(atLeast: before + 3).dropFirst(before)
                let wanted = (0..<3).map { number in
                    (headers == .each || number == 0 ? header : []) + [UInt8(number)]
                }
                expectSame(Array(got), wanted)
                try waitUntil("all are told") { rig.recorder.forwarded(.ingress) == 3 }
                #expect(rig.recorder.forwardedBytes(.ingress) == 3)
            }
        }
    }

    @Test func `another address of the upstream's name sees the header, too`() async throws {
        let upstream = try CollectingUpstream(host: "127.0.0.3")
        let resolver = TableResolver(["up.test": ["127.0.0.2", "127.0.0.3"]])
        try await withUDP(
            "up.test:\(upstream.server.port)", settings: Proxied.relaying(.first),
            engine: EngineSetup(resolver: resolver)
        ) { rig in
            let client = try UDPSocket()
            let header = try Proxied.datagramHeader(
                from: "127.0.0.1:\(try client.localEndpoint.port)", to: rig.endpoint.description)
            try client.send([1], to: rig.endpoint)
            #expect(try upstream.payloads(atLeast: 1) == [header + [1]])
            try client.send([2], to: rig.endpoint)
            #expect(try upstream.payloads(atLeast: 2).last == [2])
        }
    }

    @Test func `an upstream that was not there gets the header once it is`() async throws {
        let port = try Ports.free()
        try await withUDP("127.0.0.1:\(port)", settings: Proxied.relaying(.first)) { rig in
            let client = try UDPSocket()
            let header = try Proxied.datagramHeader(
                from: "127.0.0.1:\(try client.localEndpoint.port)", to: rig.endpoint.description)
            try client.send([1], to: rig.endpoint)
            try rig.recorder.expect(.upstreamFailed(.refused))
            let upstream = try CollectingUpstream(port: port)
            for number in UInt8(2)...3 { try client.send([number], to: rig.endpoint) }
            expectSame(try upstream.payloads(atLeast: 2), [header + [2], [3]])
        }
    }
}
