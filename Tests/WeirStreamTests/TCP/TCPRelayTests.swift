import TestSupport
import Testing
import WeirStream

@Suite(.timeLimit(.minutes(1))) struct TCPRelayTests {
    @Test(arguments: [
        ("tcp://127.0.0.1:0", "127.0.0.1", "127.0.0.1"), ("tcp4://:0", "127.0.0.1", "::1"),
        ("tcp6://[::1]:0", "::1", "127.0.0.1"), ("tcp6://:0", "::1", "::1"), ("tcp://:0", "127.0.0.1", "127.0.0.1"),
        ("tcp://:0", "::1", "127.0.0.1"),
    ])
    func `bytes come back unchanged over both families`(
        listen: String, host: String, upstreamHost: String
    ) async throws {
        let server = try TCPServer.echo(host: upstreamHost)
        try await withTCP("\(server.endpoint)", listen: listen) { rig in
            let client = try TestConnection(to: Endpoint(host, rig.stream.localAddress.port))
            let bytes = Pattern.bytes(300_000)
            try inBackground { try client.send(bytes) }
            expectSame(client.receive(bytes.count).bytes, bytes)
            try client.shutdownWriting()
            #expect(client.receive().isWhole([]))
            try rig.recorder.expect(.closed(.clientEOF))
            #expect(rig.recorder.totals.map(\.ingressBytes) == [300_000])
            #expect(rig.recorder.totals.map(\.egressBytes) == [300_000])
            // A mapped address is shown as what it is.
            #expect(rig.recorder.seen.clients.map(\.ip.description) == [host])
        }
    }

    @Test func `an IPv6-only wildcard takes no IPv4 client`() async throws {
        let server = try TCPServer.echo()
        try await withTCP("\(server.endpoint)", listen: "tcp6://:0") { rig in
            let port = rig.stream.localAddress.port
            #expect(throws: SystemFailure.self) { try TestConnection(to: Endpoint("127.0.0.1", port)) }
            _ = try rig.connectThrough()
        }
    }

    @Test func `a client that ends its side first gets the whole answer`() async throws {
        let server = try TCPServer.answeringAfterEnd { Array("\($0.count):".utf8) + Pattern.bytes(500_000) }
        try await withTCP("\(server.endpoint)") { rig in
            let client = try rig.connect()
            try client.send(Pattern.bytes(200_000))
            try client.shutdownWriting()
            let answer = client.receive()
            #expect(answer.ending == .endOfStream)
            expectSame(answer.bytes, Array("200000:".utf8) + Pattern.bytes(500_000))
            try rig.recorder.expect(.closed(.clientEOF))
        }
    }

    @Test func `data and the end in one segment are both passed on, again and again`() async throws {
        let server = try TCPServer.answeringAfterEnd { $0.reversed() }
        try await withTCP("\(server.endpoint)", engine: EngineSetup(workers: 2)) { rig in
            for round in 0..<50 {
                let client = try rig.connect()
                try client.sendWithEnd([1, 2, UInt8(round)])
                #expect(client.receive().isWhole([UInt8(round), 2, 1]))
            }
            try rig.recorder.expect(.closed(.clientEOF), times: 50)
        }
    }

    @Test func `data and the end that came before the accept are passed on`() async throws {
        let server = try TCPServer.answeringAfterEnd { $0.reversed() }
        try await withTCP("\(server.endpoint)") { rig in
            let clients = try rig.whileHeld {
                try (0..<20).map { _ in
                    let client = try rig.connect()
                    try client.sendWithEnd([4, 5, 6])
                    return client
                }
            }
            for client in clients { #expect(client.receive().isWhole([6, 5, 4])) }
            try rig.recorder.expect(.closed(.clientEOF), times: 20)
        }
    }

    @Test func `data and the end that came while dialing are passed on`() async throws {
        let upstream = try UnansweringServer()
        try await withTCP("\(upstream.endpoint)") { rig in
            let client = try rig.connect()
            try client.sendWithEnd([1, 2, 3])
            try rig.recorder.expect(.opened)
            #expect(rig.recorder.count(.dialed(upstream: 0)) == 0)
            try upstream.startAnswering { connection in
                let request = connection.receive()
                try connection.send(request.bytes.reversed())
            }
            #expect(client.receive().isWhole([3, 2, 1]))
            try rig.recorder.expect(.closed(.clientEOF))
        }
    }

    @Test func `an upstream that ends first is passed on, and the client may go on sending`() async throws {
        let got = Box<[UInt8]>([])
        let server = try TCPServer { connection in
            try connection.send("bye")
            try connection.shutdownWriting()
            got.set(connection.receive().bytes)
        }
        try await withTCP("\(server.endpoint)") { rig in
            let client = try rig.connect()
            #expect(client.receive().isWhole(Array("bye".utf8)))
            let late = Pattern.bytes(100_000)
            try client.send(late)
            client.close()
            try rig.recorder.expect(.closed(.upstreamEOF))
            try waitUntil("the upstream has read all") { got.value == late }
        }
    }

    @Test func `a connection that floods does not keep the others from their turn`() async throws {
        let server = try TCPServer { connection in
            // Endless data for a client that asks for it, an echo for the others.
            let request = connection.receive(1)
            while request.text == "F" { try connection.send(Pattern.bytes(1 << 20)) }
            try connection.send(request.bytes)
        }
        try await withTCP("\(server.endpoint)") { rig in
            let flooded = try (0..<2).map { _ in try rig.connect() }
            for client in flooded { try client.send("F") }
            for client in flooded {
                try inBackground { while !client.receiveSome(1 << 20).bytes.isEmpty {} }
            }
            for _ in 0..<20 {
                let client = try rig.connect()
                try client.send("e")
                #expect(client.receive().text == "e")
            }
            for client in flooded { try client.shutdownWriting() }
            try rig.kill()
        }
    }
}
