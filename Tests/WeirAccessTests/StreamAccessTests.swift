import NetworkTypes
import Synchronization
import TestSupport
import Testing
import WeirAccess
import WeirStream

/// Rules and limits on a stream of any program: no route, no registry, no observer.
@Suite(.timeLimit(.minutes(2))) struct StreamAccessTests {
    /// Serves a stream with these hooks in front of an echo server, and closes it.
    private func withStream(
        _ hooks: StreamHooks, engine: StreamEngine, settings: TCPSettings = TCPSettings(),
        _ body: (UInt16) throws -> Void
    ) async throws {
        let server = try TCPServer.echo()
        let stream = try TCPStream(
            listen: "tcp://127.0.0.1:0", upstream: "127.0.0.1:\(server.port)", settings: settings, engine: engine)
        try await stream.listenAndServe(hooks: hooks)
        do {
            try body(stream.localAddress.port)
        } catch {
            await stream.kill()
            throw error
        }
        await stream.kill()
        await stream.waitUntilClosed()
    }

    private func makeEngine() throws -> StreamEngine { try StreamEngine(StreamEngine.Options(workers: 2)) }

    /// Whether a connection is let in; it is open until the value goes.
    private func enter(_ port: UInt16) throws -> TestConnection? {
        let client = try TestConnection(to: Endpoint(port))
        try? client.send("x")
        return client.receive(1).text == "x" ? client : nil
    }

    @Test func `rules decide before any other hook sees the client`() async throws {
        let engine = try makeEngine()
        let asked = Atomic<Int>(0)
        var hooks = StreamHooks(admit: { _ in
            asked.add(1, ordering: .relaxed)
            return .accept
        })
        hooks.enforce(try AccessPolicy(deny: ["ip:127.0.0.1"], allow: ["cidr:127.0.0.0/8"]))
        try await withStream(hooks, engine: engine) { port in
            let client = try TestConnection(to: Endpoint(port))
            #expect(client.receive().ending == .reset)
        }
        #expect(asked.load(ordering: .relaxed) == 0)
        await engine.shutdown()
    }

    @Test(arguments: [("TCP4 127.0.0.1 127.0.0.1 1 2", false), ("TCP6 ::1 ::1 1 2", false), ("UNKNOWN", true)])
    func `a PROXY header makes no client local, and says so before the dial`(named: String, passes: Bool) async throws {
        let engine = try makeEngine()
        let isNamed = Atomic<Bool>(passes)
        var hooks = StreamHooks(
            preDial: { request in
                isNamed.store(request.isNamedByHeader, ordering: .relaxed)
                return .dial
            })
        hooks.enforce(try AccessPolicy(deny: [], default: .deny))
        hooks.isTrustedProxy = { _ in true }
        var settings = TCPSettings()
        settings.proxyProtocol.mode = .required
        try await withStream(hooks, engine: engine, settings: settings) { port in
            let client = try TestConnection(to: Endpoint(port))
            try? client.send("PROXY \(named)\r\nx")
            #expect((client.receive(1).text == "x") == passes)
        }
        // Where nothing was dialed, nothing was asked.
        let wasNamed = isNamed.load(ordering: .relaxed)
        #expect(!wasNamed)
        await engine.shutdown()
    }

    @Test func `a client has so many connections at once, and its slot is free when one ends`() async throws {
        let engine = try makeEngine()
        var hooks = StreamHooks()
        hooks.enforce(try ClientLimiter(ClientLimits(maxConnectionsPerClient: 2), engine: engine))
        try await withStream(hooks, engine: engine) { port in
            let first = try #require(try enter(port))
            let second = try #require(try enter(port))
            #expect(try enter(port) == nil)
            first.close()
            // No observer hears of the end: the slot goes with the context.
            try waitUntil("the slot is free") { try enter(port) != nil }
            second.close()
        }
        await engine.shutdown()
    }

    @Test func `what a hook of the program attaches stays its own beside the limits`() async throws {
        final class Tag: Sendable {}
        let engine = try makeEngine()
        let found = Atomic<Int>(0)
        var hooks = StreamHooks(
            admit: { context in
                context.attach(Tag())
                return .accept
            },
            onRead: { event in
                if event.context.attachment is Tag { found.add(1, ordering: .relaxed) }
                return .forward
            })
        let limits = ClientLimits(
            maxConnectionsPerClient: 1, bandwidthPerConnection: ClientLimits.Bandwidth(egress: 1_000_000))
        hooks.enforce(try ClientLimiter(limits, engine: engine))
        try await withStream(hooks, engine: engine) { port in
            let client = try #require(try enter(port))
            #expect(try enter(port) == nil)
            client.close()
        }
        #expect(found.load(ordering: .relaxed) >= 2)
        await engine.shutdown()
    }

    @Test func `a client opens so many in a time, and streams that share a limiter share its counts`() async throws {
        let engine = try makeEngine()
        let limits = ClientLimits(rate: ClientLimits.Rate(2, per: .seconds(36_000)))
        let limiter = try ClientLimiter(limits, engine: engine)
        var (one, other) = (StreamHooks(), StreamHooks())
        one.enforce(limiter)
        other.enforce(limiter)
        try await withStream(one, engine: engine) { port in
            let client = try #require(try enter(port))
            client.close()
        }
        try await withStream(other, engine: engine) { port in
            let client = try #require(try enter(port))
            client.close()
            #expect(try enter(port) == nil)
        }
        await engine.shutdown()
    }

    @Test func `limits that limit nothing leave the hooks as they are`() async throws {
        let engine = try makeEngine()
        var hooks = StreamHooks()
        hooks.enforce(try ClientLimiter(ClientLimits(), engine: engine))
        #expect(hooks.admit == nil && hooks.onRead == nil && hooks.policeDatagram == nil)
        await engine.shutdown()
    }

    @Test(arguments: ["10.0.0.0/33", "ip:10.0.0.0/8", "everyone", ""])
    func `a rule that cannot be read is an error that shows it`(rule: String) {
        let error = #expect(throws: AccessRule.ParseError.self) { try AccessPolicy(deny: ["192.0.2.1", rule]) }
        #expect(error?.message.isEmpty == false)
    }

    @Test func `deny comes first, then this machine, then allow, then the default`() throws {
        let policy = try AccessPolicy(
            deny: ["127.0.0.9", "10.1.0.0/16"], allow: ["10.0.0.0/8"], default: .deny)
        func action(_ text: String) throws -> AccessAction {
            policy.decide(try #require(IPAddress(parsing: Array(text.utf8)[...])), isPeer: true).action
        }
        #expect(try action("127.0.0.9") == .deny)
        #expect(try action("127.0.0.8") == .allow)
        #expect(try policy.decide(#require(IPAddress("127.0.0.8")), isPeer: false).action == .deny)
        #expect(try policy.decide(#require(IPAddress("::1")), isPeer: false).action == .deny)
        #expect(try policy.decide(#require(IPAddress("::ffff:127.0.0.1")), isPeer: false).action == .deny)
        #expect(try action("10.1.2.3") == .deny)
        #expect(try action("10.2.3.4") == .allow)
        #expect(try action("192.168.1.1") == .deny)
        #expect(try AccessPolicy(deny: []).decide(IPAddress(v4: 1), isPeer: true).action == .allow)
    }
}
