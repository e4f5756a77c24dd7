import LinuxIO
import NetworkTypes
import TestSupport
import Testing
import WeirAccess
import WeirStream

/// A session without encryption whose client has these names.
private final class NamedSession: SecureSession {
    let traits: ChannelTraits = []
    let hasPendingOutput = false
    let peerNames: [String]

    init(_ names: [String]) { peerNames = names }

    func handshake(on socket: borrowing Socket) -> HandshakeStep { .done }
    func receive(into buffer: UnsafeMutableRawBufferPointer, from socket: borrowing Socket) -> ReadResult {
        socket.receive(into: buffer)
    }
    func send(_ bytes: UnsafeRawBufferPointer, to socket: borrowing Socket) -> WriteResult { socket.send(bytes) }
    func finishWriting(on socket: borrowing Socket) { try? socket.shutdownWriting() }
    func flush(to socket: borrowing Socket) -> SystemError? { nil }
}

@Suite("Rules about names in certificates", .timeLimit(.minutes(1))) struct NameRuleTests {
    private let client = IPAddress(v4: 0xc000_0209)

    private static func list(_ texts: String...) throws -> AccessList {
        AccessList(try texts.map { AccessList.Entry(try rule($0), text: $0) })
    }

    @Test(
        "A name is matched itself, or by the longest name above it, at every depth",
        arguments: [
            (["device-7.example.net"], "name:device-7.example.net"), (["x.example.net"], "name:*.example.net"),
            (["y.x.apps.example.net"], "name:*.apps.example.net"), (["example.net"], nil), (["xexample.net"], nil),
            (["other.org"], nil), ([], nil), (["other.org", "z.example.net"], "name:*.example.net"),
            (["z.example.net", "q.apps.example.net"], "name:*.apps.example.net"),
            (["z.example.net", "device-7.example.net"], "name:device-7.example.net"), ([".example.net"], nil),
        ] as [([String], String?)])
    func matching(names: [String], text: String?) throws {
        let deny = try Self.list("name:*.example.net", "name:*.apps.example.net", "name:device-7.example.net")
        let policy = AccessPolicy(route: .init(deny: deny))
        let decision = policy.decide(client, isPeer: true, names: names)
        #expect(policy.entry(of: decision)?.text == text)
        #expect(decision.action == (text == nil ? .allow : .deny))
        if text != nil { #expect(decision.kind == .name) }
    }

    @Test("Before the handshake only what no name could let in is denied")
    func early() async throws {
        let names = try Self.list("name:*.example.net")
        let own = try Self.list("ip:127.0.0.1")
        let policies: [(AccessPolicy, Bool)] = [
            (AccessPolicy(route: .init(allow: names), routeDefault: .deny), false),
            (AccessPolicy(global: .init(allow: names), globalDefault: .deny, allowsLocal: false), false),
            // A rule that comes first denies, whatever the names.
            (AccessPolicy(route: .init(deny: own, allow: names), routeDefault: .deny), true),
            (AccessPolicy(global: .init(deny: own), route: .init(allow: names)), true),
            // Names that would come too late let in no client.
            (AccessPolicy(global: .init(allow: names), routeDefault: .deny), true),
            // Names that only deny are asked for those that pass.
            (AccessPolicy(route: .init(deny: names)), false),
            (AccessPolicy(route: .init(deny: names), routeDefault: .deny), true),
            (AccessPolicy(routeDefault: .deny), true),
        ]
        for (index, (policy, isDenied)) in policies.enumerated() {
            // The client is named by a header, so that it is not this machine.
            var hooks = StreamHooks(admit: { context in
                #expect((policy.decideEarly(context)?.action == .deny) == isDenied, "\(index)")
                return .reject(.acl)
            })
            hooks.isTrustedProxy = { _ in true }
            try await Self.serve(hooks) { port in
                let client = try TestConnection(to: Endpoint(port))
                try client.send("PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n")
                _ = client.receive()
            }
        }
    }

    @Test(
        "A stream lets in the clients whose session has the name, and no others",
        arguments: [(["device-7.example.net"], true), (["device-8.example.net"], false), ([], false)])
    func stream(names: [String], passes: Bool) async throws {
        var hooks = StreamHooks()
        hooks.clientSession = { _ in NamedSession(names) }
        hooks.isTrustedProxy = { _ in true }
        hooks.enforce(try AccessPolicy(deny: [], allow: ["name:device-7.example.net"], default: .deny))
        try await Self.serve(hooks) { port in
            let client = try TestConnection(to: Endpoint(port))
            try client.send("PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\nx")
            #expect((client.receive(1).text == "x") == passes)
        }
    }

    @Test("Without a session no client has a name")
    func withoutSession() async throws {
        var hooks = StreamHooks()
        hooks.isTrustedProxy = { _ in true }
        hooks.enforce(try AccessPolicy(deny: [], allow: ["name:device-7.example.net"], default: .deny))
        try await Self.serve(hooks) { port in
            let client = try TestConnection(to: Endpoint(port))
            try client.send("PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\nx")
            #expect(client.receive(1).text != "x")
        }
    }

    private static func serve(_ hooks: StreamHooks, _ body: (UInt16) throws -> Void) async throws {
        let engine = try StreamEngine(StreamEngine.Options(workers: 1))
        let server = try TCPServer.echo()
        var settings = TCPSettings()
        settings.proxyProtocol.mode = .required
        let stream = try TCPStream(
            listen: "tcp://127.0.0.1:0", upstream: "127.0.0.1:\(server.port)", settings: settings, engine: engine)
        try await stream.listenAndServe(hooks: hooks)
        let result = Result { try body(stream.localAddress.port) }
        await stream.kill()
        await stream.waitUntilClosed()
        await engine.shutdown()
        try result.get()
    }
}
