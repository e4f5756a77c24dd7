import LinuxIO
import NetworkTypes
import TestSupport
import Testing

@testable import WeirStream

/// Streams whose hook dials what a client asks for, and sessions that hear how that ended.
@Suite(.timeLimit(.minutes(1))) struct DialTargetTests {
    private static func target(_ endpoint: Endpoint, upstream: Int = 0, timeout: Duration? = nil) throws -> DialDecision
    {
        let address = try #require(SocketAddress("\(endpoint)"))
        return .dialTarget(DialTarget(upstream: upstream, addresses: [address], timeout: timeout))
    }

    @Test func `the target is dialed in place of the upstream, which it is counted for`() async throws {
        let server = try TCPServer.echo()
        let decision = try Self.target(server.endpoint, upstream: 1)
        var hooks = StreamHooks()
        hooks.decide = { _ in decision }
        // Neither of them exists.
        try await withTCP("unix:@weir-test-none-1", "unix:@weir-test-none-2", hooks: hooks) { rig in
            let client = try rig.connectThrough()
            try rig.recorder.expect(.dialed(upstream: 1))
            #expect(rig.recorder.seen.events == [.opened, .dialed(upstream: 1)])
            withExtendedLifetime(client) {}
        }
    }

    @Test func `nothing else is dialed where the target cannot be reached`() async throws {
        let server = try TCPServer.echo()
        let decision = try Self.target(Endpoint("127.0.0.1", 1))
        var hooks = StreamHooks()
        hooks.decide = { _ in decision }
        try await withTCP("127.0.0.1:1", "\(server.endpoint)", hooks: hooks) { rig in
            #expect(try rig.connect().receive().ending == .reset)
            try rig.recorder.expect(.closed(.dialFailed))
            #expect(rig.recorder.events == [.opened, .dialFailed(upstream: 0, .refused), .closed(.dialFailed)])
            #expect(server.accepted == 0)
        }
    }

    @Test func `a listener of the engine is no target`() async throws {
        let port = try Ports.free()
        let decision = try Self.target(Endpoint("127.0.0.1", port))
        var hooks = StreamHooks()
        hooks.decide = { _ in decision }
        try await withTCP("127.0.0.1:1", listen: "tcp://127.0.0.1:\(port)", hooks: hooks) { rig in
            #expect(try rig.connect().receive().ending == .reset)
            try rig.recorder.expect(.dialFailed(upstream: 0, .loop))
        }
    }

    @Test func `the time of a target bounds its dial, and an index that is none rejects`() async throws {
        let silent = try UnansweringServer()
        let decision = Box(try Self.target(silent.endpoint, timeout: .milliseconds(700)))
        var hooks = StreamHooks()
        hooks.decide = { _ in decision.value }
        try await withTCP("127.0.0.1:1", engine: EngineSetup(clock: TestClock()), hooks: hooks) { rig in
            let client = try rig.connect()
            try rig.recorder.expect(.opened)
            rig.finishTurns()
            rig.advance(by: .milliseconds(690))
            rig.finishTurns()
            #expect(rig.recorder.events == [.opened])
            rig.advance(by: .milliseconds(10))
            #expect(client.receive().ending == .reset)
            try rig.recorder.expect(.dialFailed(upstream: 0, .timeout))
            decision.set(try Self.target(silent.endpoint, upstream: 7))
            _ = try rig.connect()
            try rig.recorder.expect(.rejected(.noUpstream))
        }
    }

    @Test func `no decision leaves it to the hook that may wait, and then to the policy`() async throws {
        let server = try TCPServer.echo()
        let asked = Box<[String]>([])
        var hooks = StreamHooks(preDial: { _ in
            asked.update { $0.append("preDial") }
            return .dial
        })
        hooks.decide = { context in
            asked.update { $0.append("decide") }
            context.nameClient(
                ProxyHeader.Addresses(
                    source: SocketAddress(IPAddress(v4: 0xc000_0207), port: 7), destination: context.localAddress))
            return nil
        }
        let named = Box<[String]>([])
        hooks.onRead = { event in
            named.update { $0.append("\(event.context.clientAddress) by \(event.context.peerAddress.ip)") }
            return .forward
        }
        try await withTCP("\(server.endpoint)", hooks: hooks) { rig in
            _ = try rig.connectThrough()
            #expect(asked.value == ["decide", "preDial"])
            #expect(named.value.first == "192.0.2.7:7 by 127.0.0.1")
        }
    }

    // MARK: Sessions that answer

    /// Passes all bytes on, and tells its client how the dial has ended.
    private final class TellingSession: DialSession {
        let traits: ChannelTraits = []
        let hasPendingOutput = false
        let refusal: RejectReason
        private let refuses: Bool

        init(refusal: RejectReason? = nil) {
            refuses = refusal != nil
            self.refusal = refusal ?? .tls
        }

        func handshake(on socket: borrowing Socket) -> HandshakeStep { refuses ? .refused : .done }

        func dialEnded(_ end: DialEnd, on socket: borrowing Socket) -> Bool {
            let text = Array("\(end);".utf8)
            guard case .bytes = text.withUnsafeBytes({ socket.send($0) }) else { return false }
            if end != .connected { finishWriting(on: socket) }
            return true
        }

        func receive(into buffer: UnsafeMutableRawBufferPointer, from socket: borrowing Socket) -> ReadResult {
            socket.receive(into: buffer)
        }

        func send(_ bytes: UnsafeRawBufferPointer, to socket: borrowing Socket) -> WriteResult { socket.send(bytes) }
        func finishWriting(on socket: borrowing Socket) { try? socket.shutdownWriting() }
        func flush(to socket: borrowing Socket) -> SystemError? { nil }
    }

    @Test func `a session hears that the upstream is connected, before its first byte`() async throws {
        let server = try TCPServer { connection in try connection.send("greeting") }
        var hooks = StreamHooks()
        hooks.clientSession = { _ in TellingSession() }
        try await withTCP("\(server.endpoint)", hooks: hooks) { rig in
            let received = try rig.connect().receive(18)
            #expect(received.text == "connected;greeting")
        }
    }

    @Test func `a client that was told of a failed dial gets an end and no reset`() async throws {
        var hooks = StreamHooks()
        hooks.clientSession = { _ in TellingSession() }
        try await withTCP("127.0.0.1:1", hooks: hooks) { rig in
            let received = try rig.connect().receive()
            #expect(received.text == "\(DialEnd.failed(.refused));")
            #expect(received.ending == .endOfStream)
            try rig.recorder.expect(.closed(.dialFailed))
        }
        hooks.decide = { _ in .reject(.destination) }
        try await withTCP("127.0.0.1:1", hooks: hooks) { rig in
            let received = try rig.connect().receive()
            #expect(received.text == "\(DialEnd.rejected(.destination));")
            #expect(received.ending == .endOfStream)
            try rig.recorder.expect(.rejected(.destination))
        }
    }

    @Test func `a session refuses its client by a reason of its own`() async throws {
        var hooks = StreamHooks()
        hooks.clientSession = { _ in TellingSession(refusal: .destination) }
        try await withTCP("127.0.0.1:1", hooks: hooks) { rig in
            #expect(try rig.connect().receive().ending == .endOfStream)
            try rig.recorder.expect(.rejected(.destination))
            #expect(rig.recorder.events == [.opened, .rejected(.destination)])
        }
    }
}
