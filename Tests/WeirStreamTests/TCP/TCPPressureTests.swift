import TestSupport
import Testing
import WeirStream

/// Tests of connections where descriptors or memory have run out, and of unlucky timing.
@Suite(.timeLimit(.minutes(1))) struct TCPPressureTests {
    @Test func `a stream that stands at the limit of the process can be closed`() async throws {
        let server = try TCPServer.echo()
        try await withTCP("\(server.endpoint)", engine: EngineSetup(maxConnections: 1)) { rig in
            let first = try rig.connectThrough()
            let waiting = try rig.connect()
            try rig.recorder.expect(.acceptPaused)
            // Closing accepts what still waits, and the limit forbids that once more.
            try rig.close(drainTimeout: .seconds(30))
            #expect(waiting.receive().ending == .reset)
            try first.send("?")
            #expect(first.receive(1).text == "?")
            first.close()
            try rig.waitUntilClosed()
            #expect(rig.recorder.count(.opened) == 1)
        }
    }

    @Test func `clients that waited for a stream to begin are all served, whichever worker takes them`() async throws {
        let server = try TCPServer.echo()
        for _ in 0..<10 {
            let engine = try StreamEngine(.init(workers: 4))
            let stream = try TCPStream(listen: "tcp://127.0.0.1:0", upstream: "\(server.endpoint)", engine: engine)
            try stream.bind()
            let port = stream.localAddress.port
            let clients = try (0..<32).map { _ in try TestConnection(to: Endpoint(port)) }
            for client in clients { try client.send("?") }
            try await stream.listenAndServe()
            try await offPool {
                for client in clients { #expect(client.receive(1).text == "?") }
                for client in clients { client.close() }
            }
            await stream.close()
            await stream.waitUntilClosed()
            await engine.shutdown()
        }
    }

    @Test func `a client that ends its side and then breaks is noticed while the upstream is silent`() async throws {
        let isOver = Box(false)
        defer { isOver.set(true) }
        let server = try TCPServer { connection in
            _ = connection.receive()
            try waitUntil("the test is over", deadline: .seconds(60)) { isOver.value }
        }
        try await withTCP("\(server.endpoint)") { rig in
            let client = try rig.connect()
            try rig.recorder.expect(.dialed(upstream: 0))
            try client.shutdownWriting()
            rig.turn()
            try client.reset()
            try rig.recorder.expect(.closed(.clientReset))
        }
    }

    @Test func `with next to no memory for slow readers, the others still get everything`() async throws {
        let server = try TCPServer.answeringAfterEnd { _ in Pattern.bytes(3_000_000) }
        var options = StreamEngine.Options(workers: 1)
        options.bufferMemory = 4 * 16_384
        let engine = try StreamEngine(options)
        let stream = try TCPStream(listen: "tcp://127.0.0.1:0", upstream: "\(server.endpoint)", engine: engine)
        try await stream.listenAndServe()
        let port = stream.localAddress.port
        try await offPool {
            let clients = try (0..<12).map { _ in try TestConnection(to: Endpoint(port)) }
            for client in clients { try client.shutdownWriting() }
            // One after the other: those that are not read yet hold what they hold.
            for client in clients {
                let answer = client.receive()
                #expect(answer.ending == .endOfStream)
                expectSame(answer.bytes, Pattern.bytes(3_000_000))
            }
        }
        await stream.close()
        await stream.waitUntilClosed()
        await engine.shutdown()
    }
}
