import Glibc
import LinuxIO
import NetworkTypes
import TestSupport
import Testing

@testable import WeirStream

/// TCP streams that listen on Unix sockets.
@Suite(.timeLimit(.minutes(2))) struct UnixListenerTests {
    private let folder: TemporaryDirectory
    private let path: String
    private var listen: String { "unix:\(path)" }

    init() throws {
        folder = try TemporaryDirectory("unix")
        path = folder.file("front.sock")
    }

    private func exists() -> Bool { access(path, F_OK) == 0 }

    private func mode() -> UInt32 {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode & 0o777 : 0
    }

    @Test(arguments: [1, 3], [false, true])
    func `all workers share one socket, and bytes come back unchanged`(workers: Int, isAbstract: Bool) async throws {
        let path = isAbstract ? "@weir-test-front-\(getpid())-\(workers)" : path
        let server = try TCPServer.echo()
        try await withTCP("\(server.endpoint)", listen: "unix:\(path)", engine: EngineSetup(workers: workers)) { rig in
            let bytes = Pattern.bytes(2 << 20)
            let clients = try (0..<12).map { _ in try TestConnection(toUnix: path) }
            for client in clients {
                try inBackground {
                    try client.send(bytes)
                    try client.shutdownWriting()
                }
            }
            for client in clients { expectSame(client.receive().bytes, bytes) }
            try rig.recorder.expect(.closed(.clientEOF), times: 12)
            #expect(rig.recorder.seen.workers.count == workers)
            #expect(Set(rig.recorder.seen.clients) == [.unix])
            #expect(rig.stream.localAddress == .unix)
            #expect(rig.stream.logMetadata["listen"] == "unix:\(path)")
        }
    }

    @Test func `from one Unix socket to another, both ways at once and with little memory`() async throws {
        let server = try UnixServer.echo()
        try await withTCP(server.upstream, listen: listen, engine: EngineSetup(bufferMemory: 1 << 16)) { rig in
            let bytes = Pattern.bytes(16 << 20)
            let clients = try (0..<4).map { _ in try TestConnection(toUnix: path) }
            for client in clients {
                try inBackground {
                    try client.send(bytes)
                    try client.shutdownWriting()
                }
            }
            for client in clients { expectSame(client.receive().bytes, bytes) }
            try rig.recorder.expect(.closed(.clientEOF), times: 4)
        }
    }

    @Test func `what a client sends before it closes its socket arrives, however late the upstream is`() async throws {
        let got = Box<[UInt8]>([])
        let server = try TCPServer { connection in got.set(connection.receive().bytes) }
        let resolver = HangingResolver(answer: ["127.0.0.1"])
        defer { resolver.letGo() }
        let setup = EngineSetup(resolver: resolver)
        try await withTCP("slow.example:\(server.port)", listen: listen, engine: setup) { rig in
            let client = try TestConnection(toUnix: path)
            try client.send(Pattern.bytes(50_000))
            client.close()
            try rig.recorder.expect(.opened)
            rig.finishTurns()
            resolver.letGo()
            try waitUntil("all has come") { got.value.count == 50_000 }
            expectSame(got.value, Pattern.bytes(50_000))
            try rig.recorder.expect(.closed(.clientEOF))
        }
    }

    @Test func `a client that leaves unread bytes behind resets, and so does an upstream for it`() async throws {
        let server = try TCPServer { connection in
            _ = connection.receive(1)
            try connection.send(Pattern.bytes(1_000))
            _ = connection.receive()
        }
        try await withTCP("\(server.endpoint)", listen: listen) { rig in
            let client = try TestConnection(toUnix: path)
            try client.send("?")
            try waitUntil("the answer has come") { client.pendingInput == 1_000 }
            client.close()
            try rig.recorder.expect(.closed(.clientReset))
        }
        let resetting = try TCPServer { connection in
            _ = connection.receive(1)
            try connection.reset()
        }
        try await withTCP("\(resetting.endpoint)", listen: listen) { rig in
            let client = try TestConnection(toUnix: path)
            try client.send("?")
            // A Unix socket has no reset: its client sees an end.
            #expect(client.receive().bytes == [])
            try rig.recorder.expect(.closed(.upstreamReset))
        }
    }

    // MARK: The file

    @Test func `the file has the mode that is set, an update changes it, and it goes with the listener`() async throws {
        var settings = TCPSettings()
        settings.unixMode = 0o640
        let server = try TCPServer.echo()
        let target = try Upstream("\(server.endpoint)")
        try await withTCP("\(server.endpoint)", listen: listen, settings: settings) { rig in
            #expect(mode() == 0o640)
            try wait {
                try await rig.stream.update(
                    name: "test", upstreams: [target], settings: TCPSettings(),
                    hooks: StreamHooks(observer: rig.recorder))
            }
            #expect(mode() == 0o660)
            let client = try TestConnection(toUnix: path)
            try client.send("?")
            #expect(client.receive(1).text == "?")
            // The file goes at once, and the client stays.
            try inBackground { try rig.close() }
            try waitUntil("the file is gone") { !exists() }
            try client.send("!")
            #expect(client.receive(1).text == "!")
            client.close()
        }
        #expect(!exists())
    }

    @Test func `a stale file is replaced, and nothing else is`() async throws {
        let stale = try UnixServer(path: path) { _ in }
        stale.stop()
        #expect(exists())
        let server = try TCPServer.echo()
        try await withTCP("\(server.endpoint)", listen: listen) { rig in
            let client = try TestConnection(toUnix: path)
            try client.send("?")
            #expect(client.receive(1).text == "?")
            let other = try TCPStream(listen: listen, upstream: "\(server.endpoint)", engine: rig.engine)
            let error = #expect(throws: StreamError.self) { try other.bind() }
            guard case .bindFailed(_, let reason) = error else {
                throw DeadlineExceeded(description: "\(error as Any)")
            }
            #expect(reason.code == EADDRINUSE)
        }
        try folder.write("front.sock", "a file")
        let engine = try EngineSetup().makeEngine()
        let stream = try TCPStream(listen: listen, upstream: "\(server.endpoint)", engine: engine)
        #expect(throws: StreamError.self) { try stream.bind() }
        #expect(contents(of: path) == "a file")
        await engine.shutdown()
    }

    @Test func `a stream that was bound and never served leaves no file`() async throws {
        let engine = try EngineSetup().makeEngine()
        let stream = try TCPStream(listen: listen, upstream: "127.0.0.1:9", engine: engine)
        try stream.bind()
        #expect(exists())
        await stream.kill()
        #expect(!exists())
        await engine.shutdown()
    }

    @Test func `a stream that takes the place of another one at its path loses no client`() async throws {
        let server = try TCPServer.echo()
        try await withTCP("\(server.endpoint)", listen: listen) { rig in
            let before = try TestConnection(toUnix: path)
            try before.send("?")
            #expect(before.receive(1).text == "?")
            let next = try TCPStream(listen: listen, upstream: "\(server.endpoint)", engine: rig.engine)
            try next.bind(joining: [ListenAddress(listen)])
            // Until it serves, the file is that of the first one, and an end would leave it.
            let third = try TCPStream(listen: listen, upstream: "\(server.endpoint)", engine: rig.engine)
            #expect(throws: StreamError.self) { try third.bind(joining: [ListenAddress(listen)]) }
            #expect(access(path + ".next", F_OK) == 0)
            let between = try TestConnection(toUnix: path)
            try between.send("?")
            #expect(between.receive(1).text == "?")
            between.close()
            try inBackground { try rig.close() }
            try wait { try await next.listenAndServe() }
            let after = try TestConnection(toUnix: path)
            for client in [before, after] {
                try client.send("!")
                #expect(client.receive(1).text == "!")
            }
            before.close()
            try waitUntil("the first one has ended") { rig.stream.openCount == 0 }
            // Its end left the other's file.
            #expect(exists())
            try wait {
                await next.kill()
                await next.waitUntilClosed()
            }
            #expect(!exists())
        }
    }

    // MARK: Clients

    @Test(arguments: [(ProxyHeader.Version.v1, "PROXY UNKNOWN\r\n"), (.v2, "\r\n\r\n\0\r\nQUIT\n \0\0\0")])
    func `the header of a client without an address names none`(version: ProxyHeader.Version, text: String)
        async throws
    {
        let got = Box<[UInt8]>([])
        let server = try TCPServer { connection in got.set(connection.receive().bytes) }
        var settings = TCPSettings()
        settings.relayedHeader = version
        try await withTCP("\(server.endpoint)", listen: listen, settings: settings) { _ in
            let client = try TestConnection(toUnix: path)
            try client.send("hello")
            client.close()
            try waitUntil("it has come") { !got.value.isEmpty }
            #expect(got.value == Array((text + "hello").utf8))
            // Receivers take it for a header without addresses.
            let bytes = got.value
            guard case .complete(let header) = ProxyHeaderParser.parse(stream: bytes.span) else {
                throw DeadlineExceeded(description: "no header")
            }
            #expect(header.addresses == nil)
        }
    }

    @Test func `clients are trusted to name others only where the settings say so`() async throws {
        let server = try TCPServer.echo()
        let header = "PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n"
        var settings = TCPSettings()
        settings.proxyProtocol.mode = .mixed
        settings.proxyProtocol.trustedProxies = [try IPPrefix(parsing: "::/0"), try IPPrefix(parsing: "0.0.0.0/0")]
        for isTrusted in [false, true] {
            settings.proxyProtocol.trustsUnixSockets = isTrusted
            try await withTCP("\(server.endpoint)", listen: listen, settings: settings) { rig in
                let client = try TestConnection(toUnix: path)
                try client.send(header + "?")
                #expect(client.receive(1).text == (isTrusted ? "?" : "P"))
                let client7 = SocketAddress(IPAddress(v4: 0xc000_0207), port: 4711)
                #expect(rig.stream.openCount == 1)
                try rig.recorder.expect(.dialed(upstream: 0))
                #expect(rig.recorder.count(.headerRead(.v1)) == (isTrusted ? 1 : 0))
                #expect(rig.recorder.seen.clients == [.unix] && client7 != .unix)
            }
        }
        settings.proxyProtocol.mode = .required
        settings.proxyProtocol.trustsUnixSockets = false
        try await withTCP("\(server.endpoint)", listen: listen, settings: settings) { rig in
            let client = try TestConnection(toUnix: path)
            #expect(client.receive().bytes == [])
            try rig.recorder.expect(.rejected(.proxyProtocol))
        }
    }

    @Test func `a stream that would dial its own socket is refused, and a later one fails as a loop`() async throws {
        let engine = try EngineSetup().makeEngine()
        let stream = try TCPStream(listen: listen, upstream: listen, engine: engine)
        let error = await #expect(throws: StreamError.self) { try await stream.listenAndServe() }
        guard case .loop = error else { throw DeadlineExceeded(description: "\(error as Any)") }
        #expect(!exists())
        await engine.shutdown()
        let server = try TCPServer.echo()
        try await withTCP("\(server.endpoint)", listen: listen) { rig in
            let other = try TCPStream(listen: "tcp://127.0.0.1:0", upstream: listen, engine: rig.engine)
            #expect(throws: StreamError.self) { try wait { try await other.listenAndServe() } }
        }
    }

    @Test func `a shared listener tells its clients apart by their first bytes`() async throws {
        try await withShared(listen: listen) { rig in
            for (text, name) in [("a1", "A"), ("b2", "B")] {
                let client = try TestConnection(toUnix: path)
                try client.send(text)
                #expect(client.receive(3).text == name + text)
                try client.shutdownWriting()
                #expect(client.receive().isWhole([]))
            }
            // The bytes are there, and the client is gone, before the choice.
            let client = try TestConnection(toUnix: path)
            try client.send("a")
            client.close()
            try rig.expectUndecided(0, accepted: 3)
            #expect(rig.told.seen.decided == [0, 1, 0])
        }
        #expect(!exists())
    }
}
