import LinuxIO
import NetworkTypes
import TestSupport
import Testing

@testable import WeirStream

/// Tests of TCP routes with several listeners, and of added and removed listeners.
@Suite(.timeLimit(.minutes(1))) struct TCPListenersTests {
    private typealias Client = TestConnection
    private static let others = ["tcp://127.0.0.1:0", "tcp6://[::1]:0"]

    private static func endpoints(_ stream: TCPStream) -> [Endpoint] {
        stream.localAddresses.map { Endpoint($0.ip.description, $0.port) }
    }

    /// Goes over to other addresses, with everything else as it was.
    private static func listen(
        _ rig: Rig<TCPStream>, at addresses: [String], _ upstream: String, drainTimeout: Duration = .seconds(30)
    ) throws {
        try wait {
            try await rig.stream.update(
                name: "test", listen: addresses.map { try ListenAddress($0) }, upstreams: [try Upstream(upstream)],
                settings: TCPSettings(), hooks: StreamHooks(observer: rig.recorder), drainTimeout: drainTimeout)
        }
    }

    private static func ask(_ client: Client) throws {
        try client.send("?")
        #expect(client.receive(1).text == "?")
    }

    @Test(arguments: [1, 2])
    func `a route's limit counts the connections of all its listeners`(workers: Int) async throws {
        let server = try TCPServer.echo()
        var settings = TCPSettings()
        settings.maxConnections = 20
        try await withTCP(
            "\(server.endpoint)", andAt: Self.others, settings: settings, engine: EngineSetup(workers: workers)
        ) { rig in
            let endpoints = Self.endpoints(rig.stream)
            try #require(endpoints.count == 3)
            let clients = try (0..<60).map { try Client(to: endpoints[$0 % 3]) }
            try rig.recorder.expect(.rejected(.routeLimit), times: 40)
            try rig.recorder.expect(.dialed(upstream: 0), times: 20)
            #expect(rig.recorder.count(.opened) == 60)
            #expect(rig.stream.openCount == 20)
            for client in clients { client.close() }
            try waitUntil("all are gone") { rig.stream.openCount == 0 }
            for endpoint in endpoints { try Self.ask(Client(to: endpoint)) }
        }
    }

    @Test func `a route with several listeners looks its upstream's name up once`() async throws {
        let server = try TCPServer.echo()
        let resolver = TableResolver(["db.test": ["127.0.0.1"]])
        try await withTCP(
            "db.test:\(server.port)", andAt: Self.others, engine: EngineSetup(workers: 2, resolver: resolver)
        ) { rig in
            for endpoint in Self.endpoints(rig.stream) { try Self.ask(Client(to: endpoint)) }
            #expect(resolver.lookUps(of: "db.test") == 1)
        }
    }

    @Test func `where one address cannot be bound, none is`() async throws {
        let engine = try EngineSetup(workers: 2).makeEngine()
        let limit = engine.connectionLimit
        let ports = try (0..<3).map { _ in try Ports.free() }
        let holder = try TCPServer(port: ports[1]) { _ in }
        let stream = try TCPStream(
            name: "test", listen: ports.map { try ListenAddress("tcp://127.0.0.1:\($0)") },
            upstreams: [Upstream("127.0.0.1:1")], settings: TCPSettings(), engine: engine)
        await #expect(throws: StreamError.self) { try await stream.listenAndServe() }
        for port in [ports[0], ports[2]] {
            #expect(try OpenSockets.listening(on: [port]) == 0)
            #expect(!engine.wouldLoop(.tcp, SocketAddress(.loopbackIPv4, port: port)))
        }
        #expect(engine.connectionLimit == limit)
        withExtendedLifetime(holder) {}
        await engine.shutdown()
    }

    @Test func `an upstream that is one of the route's own listeners is refused, whichever it is`() async throws {
        let engine = try EngineSetup(workers: 2).makeEngine()
        let ports = try (0..<2).map { _ in try Ports.free() }
        let stream = try TCPStream(
            name: "test", listen: ports.map { try ListenAddress("tcp://127.0.0.1:\($0)") },
            upstreams: [Upstream("127.0.0.1:\(ports[1])")], settings: TCPSettings(), engine: engine)
        let first = try ListenAddress("tcp://127.0.0.1:\(ports[0])")
        await #expect(throws: StreamError.loop(first, upstream: "127.0.0.1:\(ports[1])")) {
            try await stream.listenAndServe()
        }
        await stream.close()
        await engine.shutdown()
    }

    @Test func `a listener that is removed takes only its own clients with it`() async throws {
        let server = try TCPServer.echo()
        let ports = try (0..<3).map { _ in try Ports.free() }
        let addresses = ports.map { "tcp://127.0.0.1:\($0)" }
        let upstream = "\(server.endpoint)"
        try await withTCP(
            upstream, listen: addresses[0], andAt: [addresses[1]], engine: EngineSetup(workers: 2, clock: TestClock())
        ) { rig in
            let staying = try (0..<4).map { _ in try Client(to: Endpoint(ports[0])) }
            let leaving = try (0..<4).map { _ in try Client(to: Endpoint(ports[1])) }
            for client in staying + leaving { try Self.ask(client) }
            try Self.listen(rig, at: [addresses[2], addresses[0]], upstream)
            #expect(throws: SystemFailure.self) { try Client(to: Endpoint(ports[1])) }
            #expect(!rig.engine.wouldLoop(.tcp, SocketAddress(.loopbackIPv4, port: ports[1])))
            #expect(rig.engine.wouldLoop(.tcp, SocketAddress(.loopbackIPv4, port: ports[2])))
            #expect(rig.stream.localAddresses.map(\.port) == [ports[2], ports[0]])
            // All go on until the time is over.
            for client in staying + leaving { try Self.ask(client) }
            let new = try Client(to: Endpoint(ports[2]))
            try Self.ask(new)
            rig.advance(by: .seconds(31))
            try rig.recorder.expect(.closed(.drained), times: 4)
            for client in leaving { #expect(client.receive().ending == .reset) }
            for client in staying + [new] { try Self.ask(client) }
            #expect(rig.stream.openCount == 5)
            // The address is free again, also for this route.
            try Self.listen(rig, at: addresses, upstream)
            try Self.ask(Client(to: Endpoint(ports[1])))
            #expect(rig.recorder.count(.closed(.drained)) == 4)
        }
    }

    @Test func `an update whose addresses cannot be bound changes nothing`() async throws {
        let server = try TCPServer.echo()
        let ports = try (0..<3).map { _ in try Ports.free() }
        let addresses = ports.map { "tcp://127.0.0.1:\($0)" }
        let upstream = "\(server.endpoint)"
        try await withTCP(upstream, listen: addresses[0], engine: EngineSetup(workers: 2)) { rig in
            let holder = try TCPServer(port: ports[2]) { _ in }
            let client = try rig.connectThrough()
            let before = rig.engine.connectionLimit
            #expect(throws: StreamError.self) { try Self.listen(rig, at: [addresses[1], addresses[2]], upstream) }
            // It would dial its own new listener.
            #expect(throws: StreamError.self) { try Self.listen(rig, at: [addresses[1]], "127.0.0.1:\(ports[1])") }
            #expect(rig.stream.localAddresses.map(\.port) == [ports[0]])
            #expect(throws: SystemFailure.self) { try Client(to: Endpoint(ports[1])) }
            #expect(!rig.engine.wouldLoop(.tcp, SocketAddress(.loopbackIPv4, port: ports[1])))
            #expect(rig.engine.connectionLimit == before)
            try Self.ask(client)
            _ = try rig.connectThrough()
            withExtendedLifetime(holder) {}
        }
    }

    @Test func `an update before the start decides where it listens`() async throws {
        let server = try TCPServer.echo()
        let engine = try EngineSetup(workers: 2).makeEngine()
        let limit = engine.connectionLimit
        let ports = try (0..<2).map { _ in try Ports.free() }
        let stream = try TCPStream(
            listen: "tcp://127.0.0.1:\(ports[0])", upstream: "\(server.endpoint)", engine: engine)
        try stream.bind()
        try await stream.update(
            name: "test", listen: [ListenAddress("tcp://127.0.0.1:\(ports[1])")],
            upstreams: [Upstream("\(server.endpoint)")], settings: TCPSettings(), hooks: StreamHooks())
        #expect(try OpenSockets.listening(on: [ports[0]]) == 0)
        try await stream.listenAndServe()
        try await offPool { try Self.ask(Client(to: Endpoint(ports[1]))) }
        await stream.kill()
        await stream.waitUntilClosed()
        #expect(engine.connectionLimit == limit)
        await engine.shutdown()
    }

    /// Listeners come and go in an order that a seed chooses, while clients come by all of them.
    @Test(arguments: [UInt64](1...UInt64(fuzzRounds(4))))
    func `adding and removing listeners under traffic loses no client of the others`(seed: UInt64) async throws {
        let server = try TCPServer.echo()
        let upstream = "\(server.endpoint)"
        let engine = EngineSetup(workers: 2)
        try await withTCP(upstream, engine: engine) { rig in
            var generator = SeededGenerator(seed: seed)
            let ports = try (0..<5).map { _ in try Ports.free() }
            var clients: [UInt16: [Client]] = [:]
            var wanted: Set<UInt16> = []
            for _ in 0..<20 {
                let next = Set(ports.filter { _ in Bool.random(using: &generator) })
                try Self.listen(rig, at: next.map { "tcp://127.0.0.1:\($0)" }, upstream, drainTimeout: .zero)
                for port in wanted.subtracting(next) {
                    for client in clients.removeValue(forKey: port) ?? [] { #expect(client.receive().bytes.isEmpty) }
                }
                wanted = next
                for port in next {
                    let client = try Client(to: Endpoint(port))
                    clients[port, default: []].append(client)
                    for client in clients[port] ?? [] { try Self.ask(client) }
                }
            }
            let open = clients.values.reduce(0) { $0 + $1.count }
            try waitUntil("the count is that of the open ones") { rig.stream.openCount == open }
            let opened = rig.recorder.count(.opened)
            #expect(opened == open + rig.recorder.count(.closed(.drained)))
        }
    }
}
