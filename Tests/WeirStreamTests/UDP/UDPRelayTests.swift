import TestSupport
import Testing
import WeirStream

@Suite(.timeLimit(.minutes(1))) struct UDPRelayTests {
    @Test(arguments: [
        ("udp://127.0.0.1:0", "127.0.0.1", "127.0.0.1"), ("udp6://[::1]:0", "::1", "::1"),
        ("udp4://:0", "127.0.0.1", "127.0.0.1"), ("udp://:0", "127.0.0.1", "::1"), ("udp://:0", "::1", "127.0.0.1"),
    ])
    func `datagrams of every size pass whole, both ways`(
        listen: String, host: String, upstreamHost: String
    ) async throws {
        let server = try UDPServer.echo(host: upstreamHost)
        try await withUDP("\(server.endpoint)", listen: listen) { rig in
            let endpoint = Endpoint(host, rig.stream.localAddress.port)
            let client = try UDPSocket(bindingTo: Endpoint(host, 0))
            let sizes = [0, 1, 1200, 16_385, 65_507]
            for size in sizes {
                let bytes = Pattern.bytes(size, seed: UInt64(size + 1))
                try client.send(bytes, to: endpoint)
                let reply = try client.receive()
                expectSame(reply.bytes, bytes)
                #expect(reply.source == endpoint)
            }
            #expect(rig.recorder.forwarded(.ingress) == sizes.count)
            try rig.recorder.expectForwarded(.egress, sizes.count)
            #expect(rig.recorder.count(.opened) == 1)
            try rig.kill()
            #expect(rig.recorder.totals.map(\.ingressBytes) == [UInt64(sizes.reduce(0, +))])
            #expect(rig.recorder.totals.map(\.egressBytes) == [UInt64(sizes.reduce(0, +))])
            #expect(rig.recorder.totals.map(\.ingressDatagrams) == [UInt64(sizes.count)])
        }
    }

    @Test func `the order of many datagrams is kept, and none is doubled`() async throws {
        let count = 20_000
        let order = Box<[UInt32]>([])
        let server = try UDPServer { datagram in
            order.update { $0.append(number(datagram.bytes)) }
            return [datagram.bytes]
        }
        try await withUDP("\(server.endpoint)", engine: EngineSetup(workers: 2)) { rig in
            let client = try UDPSocket()
            var replies: [UInt32] = []
            // A window of 200 keeps every buffer on the way from overflowing.
            for next in 0..<UInt32(count) {
                try client.send(bytes(of: next), to: rig.endpoint)
                if next >= 200 { replies.append(number(try client.receive().bytes)) }
            }
            while replies.count < count { replies.append(number(try client.receive().bytes)) }
            let wanted = Array(0..<UInt32(count))
            let isUpstreamOrderKept = order.value == wanted
            let isReplyOrderKept = replies == wanted
            #expect(isUpstreamOrderKept)
            #expect(isReplyOrderKept)
        }
    }

    @Test func `two clients never get each other's replies`() async throws {
        let server = try UDPServer.echo()
        try await withUDP("\(server.endpoint)", engine: EngineSetup(workers: 2)) { rig in
            let clients = try (0..<8).map { _ in try UDPSocket() }
            for round in 0..<50 {
                for (number, client) in clients.enumerated() {
                    try client.send([UInt8(number), UInt8(round)], to: rig.endpoint)
                }
                for (number, client) in clients.enumerated() {
                    #expect(try client.receive().bytes == [UInt8(number), UInt8(round)])
                }
            }
            #expect(rig.recorder.count(.opened) == 8)
            #expect(rig.stream.openCount == 8)
        }
    }

    @Test(arguments: ["udp4://:0", "udp://:0"])
    func `on a wildcard bind the reply comes from the address that was asked`(listen: String) async throws {
        let server = try UDPServer.echo()
        try await withUDP("\(server.endpoint)", listen: listen) { rig in
            let client = try UDPSocket(bindingTo: Endpoint("0.0.0.0", 0))
            for (number, host) in ["127.0.0.1", "127.0.0.2", "127.0.0.1"].enumerated() {
                let asked = Endpoint(host, rig.stream.localAddress.port)
                try client.send([UInt8(number)], to: asked)
                let reply = try client.receive()
                #expect(reply.bytes == [UInt8(number)])
                #expect(reply.source == asked)
            }
            // A session belongs to the address that was asked, too.
            #expect(rig.recorder.count(.opened) == 2)
        }
    }

    @Test func `a dual-stack stream answers both families from the address that was asked`() async throws {
        let server = try UDPServer.echo()
        try await withUDP("\(server.endpoint)", listen: "udp://:0") { rig in
            for host in ["::1", "127.0.0.3"] {
                let asked = Endpoint(host, rig.stream.localAddress.port)
                let client = try UDPSocket(bindingTo: Endpoint(asked.isIPv6 ? "::" : "0.0.0.0", 0))
                try client.send([9], to: asked)
                #expect(try client.receive().source == asked)
            }
        }
    }

    @Test func `a datagram that fits IPv6 but not IPv4 is dropped as too large, and the session lives`() async throws {
        let server = try UDPServer.echo()
        try await withUDP("\(server.endpoint)", listen: "udp6://[::1]:0") { rig in
            let client = try UDPSocket(bindingTo: Endpoint("::1", 0))
            try client.send(Pattern.bytes(65_527), to: rig.endpoint)
            try rig.recorder.expect(.dropped(.ingress, .tooLarge, 1))
            #expect(rig.recorder.count(.upstreamFailed(.tooBig)) == 1)
            try client.send([1], to: rig.endpoint)
            #expect(try client.receive().bytes == [1])
            #expect(rig.recorder.forwarded(.ingress) == 1)
        }
    }
}

private func bytes(of number: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) } }

private func number(_ bytes: [UInt8]) -> UInt32 {
    bytes.enumerated().reduce(0) { $0 | UInt32($1.element) << (UInt32($1.offset) * 8) }
}
