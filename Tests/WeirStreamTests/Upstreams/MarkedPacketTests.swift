import NetworkTypes
import TestSupport
import Testing

@testable import WeirStream

/// The code points of the packets on the wire.
@Suite(.timeLimit(.minutes(1))) struct MarkedPacketTests {
    private static let ef = DSCP(named: "ef")

    private static func tcp(_ dscp: DSCP?) -> TCPSettings {
        var settings = TCPSettings()
        settings.dscp = dscp
        return settings
    }

    private static func udp(_ dscp: DSCP?) -> UDPSettings {
        var settings = UDPSettings()
        settings.dscp = dscp
        return settings
    }

    /// The marks of the packets that a port sends and gets.
    private static func marks(_ capture: PacketCapture, of port: UInt16) throws -> (sent: Set<UInt8>, got: Set<UInt8>) {
        let headers = try capture.headers()
        return (
            Set(headers.filter { $0.source == port }.map(\.dscp)),
            Set(headers.filter { $0.destination == port }.map(\.dscp))
        )
    }

    @Test(arguments: [
        ("127.0.0.1", "tcp://127.0.0.1:0"), ("::1", "tcp://[::1]:0"), ("127.0.0.1", "tcp://:0"), ("::1", "tcp4://:0"),
    ])
    func `all packets of a connection are marked on both sides, and an update changes the mark`(
        host: String, listen: String
    ) async throws {
        let home = try NetworkNamespace()
        let server = try home.run { try TCPServer.echo(host: host) }
        try await withTCP(
            "\(server.endpoint)", listen: listen, settings: Self.tcp(Self.ef), engine: EngineSetup(network: home)
        ) { rig in
            let target = try Upstream("\(server.endpoint)")
            for dscp in [Self.ef, DSCP(named: "af41"), nil] {
                try wait {
                    try await rig.stream.update(
                        name: "test", upstreams: [target], settings: Self.tcp(dscp),
                        hooks: StreamHooks(observer: rig.recorder))
                }
                // A dual-stack listener is asked over both families.
                let hosts = listen == "tcp://:0" ? ["127.0.0.1", "::1"] : [rig.endpoint.host]
                for client in hosts {
                    let (ours, theirs) = try home.run {
                        (try PacketCapture(), try PacketCapture())
                    }
                    try home.run {
                        let client = try TestConnection(to: Endpoint(client, rig.endpoint.port))
                        try client.send("?")
                        #expect(client.receive(1).text == "?")
                        try client.shutdownWriting()
                        #expect(client.receive().isWhole([]))
                    }
                    let value = dscp?.value ?? 0
                    let toClient = try Self.marks(ours, of: rig.endpoint.port)
                    #expect(toClient == ([value], [0]), "\(client)")
                    let toUpstream = try Self.marks(theirs, of: server.port)
                    #expect(toUpstream == ([0], [value]), "\(client)")
                }
            }
        }
    }

    @Test(arguments: [
        ("127.0.0.1", "udp://127.0.0.1:0"), ("::1", "udp://[::1]:0"), ("127.0.0.1", "udp://:0"), ("::1", "udp4://:0"),
    ])
    func `datagrams are marked on both sides, and an update changes those to clients at once`(
        host: String, listen: String
    ) async throws {
        let home = try NetworkNamespace()
        let server = try home.run { try UDPServer.echo(host: host) }
        try await withUDP(
            "\(server.endpoint)", listen: listen, settings: Self.udp(Self.ef), engine: EngineSetup(network: home)
        ) { rig in
            let target = try Upstream("\(server.endpoint)")
            let hosts = listen == "udp://:0" ? ["127.0.0.1", "::1"] : [rig.endpoint.host]
            let clients = try home.run { try hosts.map { try UDPSocket(bindingTo: Endpoint($0, 0)) } }
            for dscp in [Self.ef, DSCP(named: "af41"), nil] {
                try wait {
                    try await rig.stream.update(
                        name: "test", upstreams: [target], settings: Self.udp(dscp),
                        hooks: StreamHooks(observer: rig.recorder))
                }
                for (client, name) in zip(clients, hosts) {
                    let (ours, theirs) = try home.run { (try PacketCapture(), try PacketCapture()) }
                    try client.send([1], to: Endpoint(name, rig.endpoint.port))
                    #expect(try client.receive().bytes == [1])
                    let toClient = try Self.marks(ours, of: rig.endpoint.port)
                    #expect(toClient == ([dscp?.value ?? 0], [0]), "\(name)")
                    // An open session keeps its settings.
                    let toUpstream = try Self.marks(theirs, of: server.port)
                    #expect(toUpstream == ([0], [46]), "\(name)")
                }
            }
        }
    }

    @Test func `routes that share a listener mark their own clients only`() async throws {
        let home = try NetworkNamespace()
        let server = try home.run { try TCPServer.echo() }
        try await withShared(engine: EngineSetup(network: home)) { rig in
            let target = try Upstream("\(server.endpoint)")
            try wait {
                try await rig.routes[0].update(
                    name: "a", upstreams: [target], settings: Self.tcp(Self.ef), hooks: StreamHooks())
            }
            for (text, mark) in [("a", UInt8(46)), ("b", 0)] {
                let (capture, client) = try home.run { (try PacketCapture(), try rig.connect()) }
                let port = try client.localEndpoint.port
                try client.send(text)
                #expect(client.receive(1).bytes.count == 1)
                let data = try capture.headers().filter { $0.destination == port && $0.source == rig.endpoint.port }
                    .map(\.dscp)
                // The handshake comes before the choice.
                #expect(data.contains(mark) && Set(data).isSubset(of: [mark, 0]), "\(text)")
            }
        }
    }
}
