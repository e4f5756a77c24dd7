import LinuxIO
import NetworkTypes
import TestSupport
import Testing

@testable import WeirStream

/// A session that encrypts nothing, and tells facts of a handshake that there was none of.
private final class ToldSession: SecureSession {
    let traits: ChannelTraits = []
    let hasPendingOutput = false
    let expected: Box<[[UInt8]]>

    init(_ expected: Box<[[UInt8]]> = Box([])) { self.expected = expected }

    var hasPeerCertificate: Bool { true }
    var peerNames: [String] { ["device-7.example.net"] }
    var facts: SecureSessionFacts? {
        SecureSessionFacts(
            serverName: "a.example.net", version: .tls13,
            peer: SecureSessionFacts.Peer(name: "device-7.example.net", commonName: "7"))
    }

    func expect(serverName: [UInt8]) { expected.update { $0.append(serverName) } }
    func handshake(on socket: borrowing Socket) -> HandshakeStep { .done }
    func receive(into buffer: UnsafeMutableRawBufferPointer, from socket: borrowing Socket) -> ReadResult {
        socket.receive(into: buffer)
    }
    func send(_ bytes: UnsafeRawBufferPointer, to socket: borrowing Socket) -> WriteResult { socket.send(bytes) }
    func finishWriting(on socket: borrowing Socket) { try? socket.shutdownWriting() }
    func flush(to socket: borrowing Socket) -> SystemError? { nil }
}

/// What a client's handshake has proved: judged before the dial, and told to the upstream.
@Suite(.timeLimit(.minutes(1))) struct TCPSecuredClientTests {
    @Test func `a client is judged by its session before the dial`() async throws {
        let server = try TCPServer.echo()
        let judged = Box<[[String]]>([])
        var hooks = StreamHooks()
        hooks.clientSession = { _ in ToldSession() }
        hooks.admitSecured = { context, session in
            judged.update { $0.append(session.peerNames + [context.sessionFacts?.serverName ?? ""]) }
            return .reject(.acl)
        }
        try await withTCP("\(server.endpoint)", hooks: hooks) { rig in
            let client = try rig.connect()
            #expect(client.receive().ending == .reset)
            try rig.recorder.expect(.rejected(.acl))
            #expect(!rig.recorder.events.contains(.dialed(upstream: 0)))
        }
        #expect(judged.value == [["device-7.example.net", "a.example.net"]])
    }

    @Test func `the header to the upstream tells the facts of the handshake`() async throws {
        let heads = Box<[[UInt8]]>([])
        let server = try TCPServer { connection in
            let head = connection.receive(16).bytes
            let rest = connection.receive(Int(head[14]) << 8 | Int(head[15])).bytes
            heads.update { $0.append(rest) }
            try connection.send("x")
        }
        var hooks = StreamHooks()
        hooks.clientSession = { _ in ToldSession() }
        try await withTCP("\(server.endpoint)", settings: Proxied.relaying(.v2), hooks: hooks) { rig in
            let client = try rig.connect()
            #expect(client.receive(1).text == "x")
        }
        let fields = try #require(heads.value.first).dropFirst(12)
        let facts = try #require(ToldSession().facts)
        #expect(Array(fields) == ProxyHeaderFields.bytes(of: facts))
    }

    @Test(arguments: ["a.example.net", nil])
    func `a session expects the name that chose its route, or none`(name: String?) async throws {
        let hello = HelloBytes.make(name ?? "", ["imap"])
        let expected = Box<[[UInt8]]>([])
        var hooks = StreamHooks()
        hooks.clientSession = { _ in ToldSession(expected) }
        let table = try ServerNameTable([
            .init(names: [try #require(ServerNamePattern("a.example.net"))], route: 0), .init(route: 1),
        ])
        try await withShared(other: table, routeHooks: hooks) { rig in
            let client = try rig.connect()
            try client.send(hello)
            #expect(client.receive(1).text == (name == nil ? "B" : "A"))
        }
        #expect(expected.value == [Array((name ?? "").utf8)])
    }
}
