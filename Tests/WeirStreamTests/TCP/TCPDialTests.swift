import LinuxIO
import NetworkTypes
import TestSupport
import Testing
import WeirStream

@Suite(.timeLimit(.minutes(1))) struct TCPDialTests {
    @Test func `a closed port is refused, and the client is reset`() async throws {
        let port = try Ports.free()
        try await withTCP("127.0.0.1:\(port)") { rig in
            let client = try rig.connect()
            #expect(client.receive().ending == .reset)
            try rig.recorder.expect(.closed(.dialFailed))
            #expect(rig.recorder.events == [.opened, .dialFailed(upstream: 0, .refused), .closed(.dialFailed)])
            #expect(rig.recorder.totals.map(\.upstream) == [nil])
        }
    }

    @Test func `an upstream that does not answer times out on the stream's clock`() async throws {
        let upstream = try UnansweringServer()
        var settings = TCPSettings()
        settings.dialTimeout = .seconds(5)
        try await withTCP("\(upstream.endpoint)", settings: settings, engine: EngineSetup(clock: TestClock())) { rig in
            let client = try rig.connect()
            try rig.recorder.expect(.opened)
            rig.advance(by: .milliseconds(4_900))
            try rig.close(drainTimeout: .seconds(60))
            #expect(rig.recorder.events == [.opened])
            rig.advance(by: .milliseconds(200))
            try rig.recorder.expect(.closed(.dialFailed))
            #expect(
                rig.recorder.events == [
                    .opened, .timedOut(.dial), .dialFailed(upstream: 0, .timeout), .closed(.dialFailed),
                ])
            #expect(client.receive().ending == .reset)
        }
    }

    @Test func `a name without an address fails as dns_not_found, and works once it has one`() async throws {
        let server = try TCPServer.echo()
        let resolver = TableResolver([:])
        let setup = EngineSetup(resolver: resolver, minResolveInterval: .milliseconds(1))
        try await withTCP("nowhere.example:\(server.port)", engine: setup) { rig in
            try rig.recorder.expect(.resolved(upstream: 0, .dnsNotFound))
            #expect(try rig.connect().receive().ending == .reset)
            try rig.recorder.expect(.dialFailed(upstream: 0, .dnsNotFound))
            try rig.recorder.expect(.closed(.dialFailed))
            resolver.set("nowhere.example", ["127.0.0.1"])
            // A failed dial asks again, at most once a second on the clock of the loop.
            try waitUntil("the new answer is used") {
                let client = try rig.connect()
                // May be reset already.
                try? client.send("?")
                return client.receive(1).text == "?"
            }
            try rig.recorder.expect(.resolved(upstream: 0, nil))
        }
    }

    @Test func `a name whose lookup hangs fails as dns_timeout when the dial time is over`() async throws {
        let resolver = HangingResolver()
        defer { resolver.letGo() }
        try await withTCP("slow.example:80", engine: EngineSetup(clock: TestClock(), resolver: resolver)) { rig in
            let client = try rig.connect()
            try rig.recorder.expect(.opened)
            rig.advance(by: .seconds(6))
            try rig.recorder.expect(.closed(.dialFailed))
            #expect(
                rig.recorder.events == [
                    .opened, .timedOut(.dial), .dialFailed(upstream: 0, .dnsTimeout), .closed(.dialFailed),
                ])
            #expect(client.receive().ending == .reset)
            resolver.letGo()
        }
    }

    @Test func `connections that wait for a name go on as soon as it has an answer`() async throws {
        let server = try TCPServer.echo()
        let resolver = HangingResolver(answer: ["127.0.0.1"])
        defer { resolver.letGo() }
        try await withTCP("slow.example:\(server.port)", engine: EngineSetup(resolver: resolver)) { rig in
            let clients = try (0..<10).map { _ in try rig.connect() }
            try rig.recorder.expect(.opened, times: 10)
            #expect(rig.recorder.count(.dialed(upstream: 0)) == 0)
            resolver.letGo()
            for client in clients {
                try client.send("ok")
                #expect(client.receive(2).text == "ok")
            }
        }
    }

    @Test func `a listener as its own upstream is refused at the start`() async throws {
        let engine = try EngineSetup().makeEngine()
        let port = try Ports.free()
        for (listen, upstream) in [
            ("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("[::]", "127.0.0.1"), ("[::]", "[::1]"),
            ("127.0.0.1", "[::ffff:127.0.0.1]"), ("0.0.0.0", "127.9.9.9"), ("127.0.0.1", "0.0.0.0"),
        ] {
            let stream = try TCPStream(
                listen: "tcp://\(listen):\(port)", upstream: "\(upstream):\(port)", engine: engine)
            let error = await #expect(throws: StreamError.self) { try await stream.listenAndServe() }
            guard case .loop = error else {
                Issue.record("\(listen) to \(upstream): \(String(describing: error))")
                continue
            }
            // Nothing stays open behind the error.
            _ = try offPoolBind(port)
        }
        await engine.shutdown()
    }

    private func offPoolBind(_ port: UInt16) throws -> Bool {
        let probe = try Socket(.stream, family: .ipv4)
        try probe.bind(SocketAddress(.anyIPv4, port: port))
        return true
    }

    @Test func `a name that resolves to one of our listeners fails as a loop`() async throws {
        let resolver = TableResolver(["me.example": ["127.0.0.1"]])
        let port = try Ports.free()
        try await withTCP(
            "me.example:\(port)", listen: "tcp://127.0.0.1:\(port)", engine: EngineSetup(resolver: resolver)
        ) { rig in
            #expect(try rig.connect().receive().ending == .reset)
            try rig.recorder.expect(.closed(.dialFailed))
            #expect(rig.recorder.count(.dialFailed(upstream: 0, .loop)) == 1)
            #expect(rig.recorder.count(.opened) == 1)
        }
    }

    @Test func `a name that has IPv6 first reaches a server on IPv4 only`() async throws {
        let server = try TCPServer.echo()
        let resolver = TableResolver(["localhost": ["::1", "127.0.0.1"]])
        try await withTCP("localhost:\(server.port)", engine: EngineSetup(resolver: resolver)) { rig in
            _ = try rig.connectThrough()
            // One dial, not one per address.
            #expect(rig.recorder.count(.dialed(upstream: 0)) == 1)
            #expect(!rig.recorder.events.contains(.dialFailed(upstream: 0, .refused)))
            #expect(rig.recorder.seen.upstreamAddresses.map(\.description) == ["127.0.0.1:\(server.port)"])
        }
    }

    @Test func `an address that does not answer is overtaken by the next one`() async throws {
        let dead = try UnansweringServer()
        let server = try TCPServer.echo(host: "127.0.0.2", port: dead.port)
        let resolver = TableResolver(["two.example": ["127.0.0.1", "127.0.0.2"]])
        let setup = EngineSetup(clock: TestClock(), resolver: resolver)
        try await withTCP("two.example:\(server.port)", engine: setup) { rig in
            let client = try rig.connect()
            try rig.recorder.expect(.opened)
            try rig.recorder.expect(.resolved(upstream: 0, nil))
            rig.turn()
            rig.advance(by: .milliseconds(200))
            rig.turn()
            #expect(rig.recorder.count(.dialed(upstream: 0)) == 0)
            try rig.waitWhileTicking("the second attempt succeeds") { rig.recorder.count(.dialed(upstream: 0)) == 1 }
            try client.send("ok")
            #expect(client.receive(2).text == "ok")
            #expect(rig.recorder.seen.upstreamAddresses.map(\.description) == ["127.0.0.2:\(server.port)"])
        }
    }

    @Test func `the next upstream is dialed where one cannot be reached`() async throws {
        let server = try TCPServer.echo()
        let dead = try Ports.free()
        try await withTCP("127.0.0.1:\(dead)", "127.0.0.1:\(server.port)") { rig in
            let client = try rig.connectThrough()
            // Its end would be an event, too.
            defer { client.close() }
            #expect(
                rig.recorder.events == [
                    .opened, .dialFailed(upstream: 0, .refused), .dialed(upstream: 1),
                ])
        }
    }
}
