import NetworkTypes
import TestSupport
import Testing
import WeirAccess
import WeirStream

/// Rules and limits for clients of Unix sockets, which have no address.
@Suite(.timeLimit(.minutes(2))) struct UnixClientTests {
    /// Serves a stream at a path with these hooks, and gives the text that each of three clients at once gets back.
    private func answers(_ hooks: StreamHooks, _ engine: StreamEngine, header: String = "") async throws -> [String] {
        let folder = try TemporaryDirectory("unix")
        let path = folder.file("front.sock")
        let server = try TCPServer.echo()
        var settings = TCPSettings()
        if !header.isEmpty { settings.proxyProtocol.mode = .required }
        settings.proxyProtocol.trustsUnixSockets = true
        let stream = try TCPStream(
            listen: "unix:\(path)", upstream: "127.0.0.1:\(server.port)", settings: settings, engine: engine)
        try await stream.listenAndServe(hooks: hooks)
        let clients = try (0..<3).map { _ in try TestConnection(toUnix: path) }
        for client in clients { try? client.send(header + "x") }
        let answers = clients.map { $0.receive(1).text }
        await stream.kill()
        await stream.waitUntilClosed()
        return answers
    }

    @Test func `they are on this machine, whatever the rules deny`() async throws {
        let engine = try StreamEngine(StreamEngine.Options(workers: 2))
        var hooks = StreamHooks()
        hooks.enforce(try AccessPolicy(deny: ["::/0", "0.0.0.0/0"], default: .deny))
        #expect(try await answers(hooks, engine) == ["x", "x", "x"])
        // A client that a header names has an address like any other.
        let header = "PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n"
        #expect(try await answers(hooks, engine, header: header) == ["", "", ""])
        #expect(try await answers(hooks, engine, header: "PROXY UNKNOWN\r\n") == ["x", "x", "x"])
        await engine.shutdown()
    }

    @Test func `they are not limited as one client`() async throws {
        let engine = try StreamEngine(StreamEngine.Options(workers: 2))
        var limits = ClientLimits()
        limits.maxConnectionsPerClient = 1
        limits.rate = ClientLimits.Rate(1, per: .seconds(36_000))
        var hooks = StreamHooks()
        hooks.enforce(try ClientLimiter(limits, engine: engine))
        #expect(try await answers(hooks, engine) == ["x", "x", "x"])
        let header = "PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n"
        #expect(try await answers(hooks, engine, header: header).count { $0 == "x" } == 1)
        await engine.shutdown()
    }
}
