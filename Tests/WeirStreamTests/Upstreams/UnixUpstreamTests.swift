import Glibc
import LinuxIO
import NetworkTypes
import TestSupport
import Testing

@testable import WeirStream

/// TCP streams to Unix sockets.
@Suite(.timeLimit(.minutes(2))) struct UnixUpstreamTests {
    @Test(arguments: [false, true])
    func `bytes come back unchanged, from a path or an abstract name`(isAbstract: Bool) async throws {
        let server = try UnixServer.echo(path: isAbstract ? "@weir-test-\(getpid())-\(try Ports.free())" : nil)
        try await withTCP(server.upstream) { rig in
            let client = try rig.connect()
            let bytes = Pattern.bytes(300_000)
            try inBackground { try client.send(bytes) }
            expectSame(client.receive(bytes.count).bytes, bytes)
            try client.shutdownWriting()
            #expect(client.receive().isWhole([]))
            try rig.recorder.expect(.closed(.clientEOF))
            #expect(rig.recorder.totals.map(\.ingressBytes) == [300_000])
            #expect(rig.recorder.totals.map(\.egressBytes) == [300_000])
            #expect(rig.recorder.seen.upstreamAddresses == [.unix])
        }
    }

    @Test(arguments: [4 << 20, 1 << 16])
    func `a mass of bytes passes both ways at once, also where the memory for them is used up`(memory: Int)
        async throws
    {
        let server = try UnixServer.echo()
        try await withTCP(server.upstream, engine: EngineSetup(bufferMemory: memory)) { rig in
            let bytes = Pattern.bytes(16 << 20)
            let clients = try (0..<4).map { _ in try rig.connect() }
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

    @Test func `a client that ends its side first gets the whole answer`() async throws {
        let server = try UnixServer { connection in
            let request = connection.receive()
            guard request.ending == .endOfStream else { return }
            try connection.send(Array("\(request.bytes.count):".utf8) + Pattern.bytes(500_000))
        }
        try await withTCP(server.upstream) { rig in
            let client = try rig.connect()
            try client.send(Pattern.bytes(200_000))
            try client.shutdownWriting()
            let answer = client.receive()
            #expect(answer.ending == .endOfStream)
            expectSame(answer.bytes, Array("200000:".utf8) + Pattern.bytes(500_000))
            try rig.recorder.expect(.closed(.clientEOF))
        }
    }

    @Test func `an upstream that ends first still gets all of the client`() async throws {
        let got = Box<[UInt8]>([])
        let server = try UnixServer { connection in
            try connection.send("bye")
            try connection.shutdownWriting()
            got.set(connection.receive().bytes)
        }
        try await withTCP(server.upstream) { rig in
            let client = try rig.connect()
            #expect(client.receive().text == "bye")
            try client.send(Pattern.bytes(100_000))
            try client.shutdownWriting()
            try rig.recorder.expect(.closed(.upstreamEOF))
            try waitUntil("the upstream has it") { !got.value.isEmpty }
            expectSame(got.value, Pattern.bytes(100_000))
        }
    }

    @Test func `an upstream that does not read stops the client, and gets everything later`() async throws {
        let total = 16 << 20
        let go = TestSemaphore()
        let got = Box<[UInt8]>([])
        let server = try UnixServer { connection in
            go.wait()
            got.set(connection.receive().bytes)
        }
        try await withTCP(server.upstream, engine: EngineSetup(bufferMemory: 1 << 20)) { rig in
            let client = try rig.connect()
            let bytes = Pattern.bytes(total)
            let sent = Box(0)
            try inBackground {
                for start in stride(from: 0, to: total, by: 1 << 16) {
                    try client.send(Array(bytes[start..<start + 1 << 16]))
                    sent.add(1 << 16)
                }
                try client.shutdownWriting()
            }
            try rig.recorder.expect(.paused(.ingress, .backpressure))
            var before = -1
            try waitUntil("the client stands") {
                defer { before = sent.value }
                return before == sent.value
            }
            #expect(sent.value < total)
            go.signal()
            try waitUntil("the upstream has all of it", deadline: .seconds(30)) { got.value.count == total }
            expectSame(got.value, bytes)
        }
    }

    @Test func `an upstream that closes with unread bytes is a reset; its answer comes first`() async throws {
        let server = try UnixServer { connection in
            _ = connection.receive(1)
            try waitUntil("the rest has arrived") { connection.pendingInput >= 9 }
            try connection.send(Pattern.bytes(100_000))
            connection.close()
        }
        try await withTCP(server.upstream) { rig in
            let client = try rig.connect()
            try client.send(Pattern.bytes(10))
            let answer = client.receive()
            expectSame(answer.bytes, Pattern.bytes(100_000))
            #expect(answer.ending == .reset)
            try rig.recorder.expect(.closed(.upstreamReset))
        }
    }

    @Test func `a reset of the client is an end for the upstream, after all that came before it`() async throws {
        let got = Box<TestConnection.Received?>(nil)
        let server = try UnixServer { connection in
            _ = connection.receive(1)
            try connection.send("!")
            got.set(connection.receive())
        }
        try await withTCP(server.upstream) { rig in
            let client = try rig.connect()
            try client.send("?")
            #expect(client.receive(1).text == "!")
            try client.send("last words")
            try client.reset()
            try rig.recorder.expect(.closed(.clientReset))
            try waitUntil("the upstream has an end") { got.value != nil }
            #expect(got.value?.text == "last words" && got.value?.ending == .endOfStream)
        }
    }

    @Test func `bytes that come with descriptors pass, and so do those behind them`() async throws {
        let server = try UnixServer { connection in
            _ = connection.receive(1)
            for number in UInt8(0)..<50 {
                try connection.send([number], passing: 0)
                try connection.send([number, number])
            }
            _ = connection.receive()
        }
        try await withTCP(server.upstream) { rig in
            let client = try rig.connect()
            try client.send("?")
            #expect(client.receive(150).bytes == (UInt8(0)..<50).flatMap { [$0, $0, $0] })
        }
    }

    @Test func `the header names the client's address`() async throws {
        let got = Box<[String]>([])
        let server = try UnixServer { connection in
            let text = connection.receive().text
            got.update { $0.append(text) }
        }
        var settings = TCPSettings()
        settings.relayedHeader = .v1
        try await withTCP(server.upstream, settings: settings) { rig in
            let client = try rig.connect()
            let port = try client.localEndpoint.port
            try client.send("hello")
            client.close()
            try waitUntil("it has come") { got.value.count == 1 }
            #expect(got.value == ["PROXY TCP4 127.0.0.1 127.0.0.1 \(port) \(rig.endpoint.port)\r\nhello"])
        }
    }

    // MARK: Failures

    /// Connects a client, which is to be reset, and returns the failure of its dial.
    private static func failure(_ upstream: String) async throws -> [Recorder.Event] {
        let failures = Box<[Recorder.Event]>([])
        try await withTCP(upstream) { rig in
            #expect(try rig.connect().receive().ending == .reset)
            try rig.recorder.expect(.closed(.dialFailed))
            failures.set(
                rig.recorder.events.filter { if case .dialFailed = $0 { true } else { false } })
        }
        return failures.value
    }

    @Test func `nothing at the path, and an abandoned file, are refusals`() async throws {
        let folder = try TemporaryDirectory("unix")
        #expect(try await Self.failure("unix:\(folder.file("none"))") == [.dialFailed(upstream: 0, .refused)])
        #expect(try await Self.failure("unix:@weir-test-none-\(getpid())") == [.dialFailed(upstream: 0, .refused)])
        let server = try UnixServer { _ in }
        server.stop()
        #expect(try await Self.failure(server.upstream) == [.dialFailed(upstream: 0, .refused)])
    }

    @Test func `a path that leads through a file, and one to no socket, have their reasons`() async throws {
        let folder = try TemporaryDirectory("unix")
        let file = try folder.write("file", "")
        #expect(try await Self.failure("unix:\(file)/x") == [.dialFailed(upstream: 0, .other)])
        #expect(try await Self.failure("unix:\(file)") == [.dialFailed(upstream: 0, .refused)])
    }

    @Test func `a socket of datagrams is no stream, and one that is forbidden has its reason`() async throws {
        let folder = try TemporaryDirectory("unix")
        let datagrams = try ServiceManagerSocket(folder.file("datagrams"))
        // EPROTOTYPE of connect(2).
        #expect(try await Self.failure("unix:\(datagrams.name)") == [.dialFailed(upstream: 0, .other)])
        // No file is forbidden to root.
        #expect(DialFailure(SystemError(.connect, EACCES)) == .permission)
    }

    @Test func `the next upstream takes the client of one that is gone`() async throws {
        let server = try UnixServer.echo()
        let folder = try TemporaryDirectory("unix")
        try await withTCP("unix:\(folder.file("none"))", server.upstream) { rig in
            _ = try rig.connectThrough()
            #expect(rig.recorder.events.contains(.dialFailed(upstream: 0, .refused)))
            #expect(rig.recorder.events.contains(.dialed(upstream: 1)))
        }
    }

    @Test func `a full queue is tried again until there is room`() async throws {
        let server = try UnixServer(backlog: 0, waits: true) { connection in
            try connection.send("hello")
            _ = connection.receive()
        }
        // One connection fills a queue of none.
        let first = try TestConnection(toUnix: server.path)
        let clock = TestClock()
        try await withTCP(server.upstream, engine: EngineSetup(clock: clock)) { rig in
            let client = try rig.connect()
            try rig.recorder.expect(.opened)
            // No event comes, and no turn is wasted: only time makes another attempt.
            for _ in 0..<20 { rig.advance(by: .milliseconds(100)) }
            #expect(rig.recorder.events == [.opened])
            #expect(!client.isReadable(within: 50))
            server.start()
            #expect(first.receive(5).text == "hello")
            try rig.waitWhileTicking("the dial has ended") { rig.recorder.count(.dialed(upstream: 0)) == 1 }
            #expect(client.receive(5).text == "hello")
        }
    }

    @Test func `a queue that stays full is a timeout, and the client of the next upstream`() async throws {
        let full = try UnixServer(backlog: 0, waits: true) { _ in }
        let first = try TestConnection(toUnix: full.path)
        let next = try UnixServer.echo()
        var settings = TCPSettings()
        settings.attemptTimeout = .seconds(1)
        try await withTCP(full.upstream, next.upstream, settings: settings, engine: EngineSetup(clock: TestClock())) {
            rig in
            let client = try rig.connect()
            try client.send("?")
            try rig.recorder.expect(.opened)
            rig.advance(by: .milliseconds(900))
            #expect(rig.recorder.events == [.opened])
            try rig.waitWhileTicking("the next one is dialed") { rig.recorder.count(.dialed(upstream: 1)) == 1 }
            #expect(rig.recorder.count(.dialFailed(upstream: 0, .timeout)) == 1)
            #expect(client.receive(1).text == "?")
        }
        withExtendedLifetime(first) {}
    }

    @Test func `a client that goes while a queue is full takes its dial with it`() async throws {
        let full = try UnixServer(backlog: 0, waits: true) { _ in }
        let first = try TestConnection(toUnix: full.path)
        try await withTCP(full.upstream, engine: EngineSetup(clock: TestClock())) { rig in
            let client = try rig.connect()
            try rig.recorder.expect(.opened)
            try client.reset()
            try rig.recorder.expect(.closed(.clientReset))
            #expect(rig.recorder.count(.dialFailed(upstream: 0, .canceled)) == 1)
            rig.advance(by: .seconds(1))
            #expect(rig.stream.openCount == 0)
        }
        withExtendedLifetime(first) {}
    }

    @Test func `a Unix socket is no upstream of datagrams`() throws {
        #expect(throws: StreamError.self) {
            try UDPStream(
                name: "test", listen: try ListenAddress("udp://127.0.0.1:0"), upstreams: [Upstream("unix:/run/x")],
                settings: UDPSettings(), engine: EngineSetup().makeEngine())
        }
    }
}
