import LinuxIO
import NetworkTypes
import TestSupport
import Testing

@testable import WeirStream

extension DialSource {
    /// A source of literals.
    fileprivate init(_ texts: String...) throws {
        self = try #require(DialSource(texts.compactMap { ScopedAddress($0) }))
    }
}

@Suite(.timeLimit(.minutes(1))) struct DialSourceTests {
    /// Sends the address of its client.
    private static func telling(_ host: String = "127.0.0.1", port: UInt16? = nil) throws -> TCPServer {
        try TCPServer(host: host, port: port) { connection in
            try connection.send("\(try connection.peerEndpoint.host) ")
            _ = connection.receive()
        }
    }

    private static func tcp(_ source: DialSource?) -> TCPSettings {
        var settings = TCPSettings()
        settings.dialFrom = source
        return settings
    }

    private static func udp(_ source: DialSource?) -> UDPSettings {
        var settings = UDPSettings()
        settings.dialFrom = source
        return settings
    }

    private static func source(seenThrough rig: Rig<TCPStream>) throws -> String {
        let client = try rig.connect()
        var text = ""
        while !text.hasSuffix(" ") {
            let part = client.receive(1)
            guard !part.bytes.isEmpty else { return "\(part.ending)" }
            text += part.text
        }
        return String(text.dropLast())
    }

    @Test(arguments: [("127.0.0.1", "127.0.0.9"), ("::1", "fd00::9")])
    func `connections come from the address of their family, and an update changes it`(host: String, source: String)
        async throws
    {
        let home = try NetworkNamespace()
        try home.ip("address add fd00::9/128 dev lo nodad")
        let server = try home.run { try Self.telling(host) }
        let settings = Self.tcp(try DialSource("127.0.0.9", "fd00::9"))
        try await withTCP("\(server.endpoint)", settings: settings, engine: EngineSetup(network: home)) { rig in
            #expect(try home.run { try Self.source(seenThrough: rig) } == source)
            let target = try Upstream("\(server.endpoint)")
            try wait {
                try await rig.stream.update(
                    name: "test", upstreams: [target], settings: TCPSettings(),
                    hooks: StreamHooks(observer: rig.recorder))
            }
            #expect(try home.run { try Self.source(seenThrough: rig) } == host)
        }
    }

    @Test func `sessions come from the address of their family`() async throws {
        let server = try UDPServer { [Array($0.source.host.utf8)] }
        try await withUDP("\(server.endpoint)", settings: Self.udp(try DialSource("127.0.0.9"))) { rig in
            let client = try UDPSocket()
            try client.send([1], to: rig.endpoint)
            #expect(try client.receive().bytes == Array("127.0.0.9".utf8))
        }
    }

    @Test func `addresses of a family without a source are not dialed`() async throws {
        let server = try Self.telling()
        let resolver = TableResolver(["both.example": ["::1", "127.0.0.1"], "six.example": ["::1"]])
        let setup = EngineSetup(resolver: resolver)
        let settings = Self.tcp(try DialSource("127.0.0.9"))
        try await withTCP("both.example:\(server.port)", settings: settings, engine: setup) { rig in
            let source = try Self.source(seenThrough: rig)
            #expect(source == "127.0.0.9")
            #expect(rig.recorder.events.contains(.dialed(upstream: 0)))
        }
        try await withTCP("six.example:\(server.port)", "[::1]:\(server.port)", settings: settings, engine: setup) {
            rig in
            #expect(try Self.source(seenThrough: rig) == "reset")
            try rig.recorder.expect(.closed(.dialFailed))
            #expect(rig.recorder.count(.dialFailed(upstream: 0, .addressUnavailable)) == 1)
            #expect(rig.recorder.count(.dialFailed(upstream: 1, .addressUnavailable)) == 1)
        }
    }

    @Test func `a source that this machine does not have fails the dial, and works once it is there`() async throws {
        let home = try NetworkNamespace()
        let server = try home.run { try Self.telling() }
        let settings = Self.tcp(try DialSource("192.0.2.10"))
        try await withTCP("\(server.endpoint)", settings: settings, engine: EngineSetup(network: home)) { rig in
            #expect(try home.run { try Self.source(seenThrough: rig) } == "reset")
            try rig.recorder.expect(.dialFailed(upstream: 0, .addressUnavailable))
            try home.ip("address add 192.0.2.10/32 dev lo")
            #expect(try home.run { try Self.source(seenThrough: rig) } == "192.0.2.10")
        }
    }

    @Test func `with freebind the kernel takes a source that this machine does not have`() async throws {
        let home = try NetworkNamespace()
        let server = try home.run { try Self.telling() }
        var settings = Self.tcp(try DialSource("192.0.2.10"))
        settings.isFreeBind = true
        try await withTCP("\(server.endpoint)", settings: settings, engine: EngineSetup(network: home)) { rig in
            #expect(try home.run { try Self.source(seenThrough: rig) } == "reset")
            // The bind is allowed, and the connect finds no way.
            try rig.recorder.expect(.dialFailed(upstream: 0, .unreachable))
            try home.ip("address add 192.0.2.10/32 dev lo")
            #expect(try home.run { try Self.source(seenThrough: rig) } == "192.0.2.10")
        }
    }

    @Test func `one source reaches two upstreams over more connections than there are local ports`() async throws {
        let home = try NetworkNamespace()
        let ports: UInt16 = 40
        let servers = try home.run { try (0..<2).map { try TCPServer.echo(port: 2_000 + $0) } }
        try home.set("ipv4/ip_local_port_range", "40000 \(40_000 + ports - 1)")
        let settings = Self.tcp(try DialSource("127.0.0.9"))
        let first = Box(0)
        // Each connection has the next upstream in turn.
        let hooks = StreamHooks(preDial: { _ in
            .dialUpstream(
                first.update {
                    $0 += 1; return $0 % 2
                })
        })
        try await withTCP(
            "\(servers[0].endpoint)", "\(servers[1].endpoint)", listen: "tcp4://:0", settings: settings,
            engine: EngineSetup(network: home), hooks: hooks
        ) { rig in
            let clients = try home.run {
                try (0..<64).map { number in
                    // The clients use up ports as well, for each address that they connect to.
                    let client = try TestConnection(to: Endpoint("127.0.1.\(1 + number / 8)", rig.endpoint.port))
                    try client.send("?")
                    return client
                }
            }
            for client in clients { #expect(client.receive(1).text == "?") }
            #expect(rig.recorder.count(.closed(.dialFailed)) == 0)
            #expect(servers.map(\.accepted) == [32, 32])
        }
    }

    @Test func `a session whose source is gone waits for it, and goes on from it`() async throws {
        let home = try NetworkNamespace()
        try home.ip("address add 192.0.2.10/32 dev lo")
        let sources = Box<[String]>([])
        let server = try home.run {
            try UDPServer { datagram in
                sources.update { $0.append(datagram.source.host) }
                return [datagram.bytes]
            }
        }
        let clock = TestClock()
        let settings = Self.udp(try DialSource("192.0.2.10"))
        try await withUDP("\(server.endpoint)", settings: settings, engine: EngineSetup(clock: clock, network: home)) {
            rig in
            try home.run {
                let client = try UDPSocket()
                func isAnswered() throws -> Bool {
                    try client.send([1], to: rig.endpoint)
                    guard client.isReadable(within: 300) else { return false }
                    return try client.receive().bytes == [1]
                }
                #expect(try isAnswered())
                try home.ip("address delete 192.0.2.10/32 dev lo")
                for _ in 0..<3 {
                    #expect(try !isAnswered())
                    rig.advance(by: .seconds(4))
                }
                // Another address of this machine is never taken.
                #expect(Set(sources.value) == ["192.0.2.10"])
                try home.ip("address add 192.0.2.10/32 dev lo")
                try waitUntil("it goes on") {
                    rig.advance(by: .seconds(2))
                    return try isAnswered()
                }
                #expect(Set(sources.value) == ["192.0.2.10"])
                #expect(rig.recorder.count(.opened) == 1)
            }
        }
    }
}
