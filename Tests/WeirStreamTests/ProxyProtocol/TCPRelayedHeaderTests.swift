import LinuxIO
import TestSupport
import Testing
import WeirStream

/// PROXY headers that upstreams get.
@Suite(.timeLimit(.minutes(1))) struct TCPRelayedHeaderTests {
    private typealias Client = TestConnection

    /// Tells the header that a connection began with, and echoes what follows.
    private static func reporting(to box: Box<[ProxyHeader]>, host: String = "127.0.0.1") throws -> TCPServer {
        try TCPServer(host: host) { connection in
            var bytes: [UInt8] = []
            while true {
                bytes += connection.receive(1).bytes
                switch ProxyHeaderParser.parse(stream: bytes.span) {
                case .incomplete: continue
                case .invalid: return
                case .complete(let header): box.update { $0.append(header) }
                }
                break
            }
            // A server that speaks first.
            try connection.send("hello ")
            while true {
                let received = connection.receiveSome()
                if received.bytes.isEmpty { break }
                try connection.send(received.bytes)
            }
            try connection.shutdownWriting()
        }
    }

    @Test(arguments: ProxyHeader.Version.allCases)
    func `the header leaves at once, without a byte of the client's, and is not counted`(
        version: ProxyHeader.Version
    ) async throws {
        let headers = Box<[ProxyHeader]>([])
        let server = try Self.reporting(to: headers)
        try await withTCP("\(server.endpoint)", settings: Proxied.relaying(version)) { rig in
            let client = try rig.connect()
            // Nothing was sent yet.
            #expect(client.receive(6).text == "hello ")
            let header = try #require(headers.value.first)
            #expect(header.version == version)
            let own = try client.localEndpoint.description
            #expect(header.addresses?.source.description == own)
            #expect(header.addresses?.destination.description == rig.endpoint.description)
            let bytes = Pattern.bytes(300_000)
            try inBackground {
                try client.send(bytes)
                try client.shutdownWriting()
            }
            #expect(client.receive().isWhole(bytes))
            try rig.recorder.expect(.closed(.clientEOF))
            #expect(rig.recorder.totals.map(\.ingressBytes) == [300_000])
            #expect(rig.recorder.totals.map(\.egressBytes) == [300_006])
        }
    }

    @Test(arguments: [
        ("tcp://:0", "::1"), ("tcp://:0", "127.0.0.2"), ("tcp4://:0", "127.0.0.3"), ("tcp6://[::1]:0", "::1"),
    ])
    func `it names the address that the client spoke to, also where all are listened on`(
        listen: String, host: String
    ) async throws {
        let headers = Box<[ProxyHeader]>([])
        let server = try Self.reporting(to: headers)
        try await withTCP("\(server.endpoint)", listen: listen, settings: Proxied.relaying(.v2)) { rig in
            let asked = Endpoint(host, rig.stream.localAddress.port)
            let client = try Client(to: asked)
            #expect(client.receive(6).text == "hello ")
            let addresses = try #require(headers.value.first?.addresses)
            #expect(addresses.destination.description == asked.description)
            let own = try client.localEndpoint.description
            #expect(addresses.source.description == own)
        }
    }

    @Test func `behind another proxy it names the client that proxy named`() async throws {
        let headers = Box<[ProxyHeader]>([])
        let server = try Self.reporting(to: headers)
        var settings = Proxied.relaying(.v1)
        settings.proxyProtocol.mode = .required
        try await withTCP("\(server.endpoint)", settings: settings, hooks: Proxied.Gate().hooks) { rig in
            let client = try rig.connect()
            try client.send(try Proxied.header(from: "[2001:db8::7]:1000", to: "192.0.2.5:443") + Array("x".utf8))
            #expect(client.receive(7).text == "hello x")
            let addresses = try #require(headers.value.first?.addresses)
            #expect(addresses.source.description == "[2001:db8::7]:1000")
            #expect(addresses.destination.description == "192.0.2.5:443")
            // A proxy that speaks for itself is the client.
            let local = try rig.connect()
            try local.send(try #require(HeaderVector.all.first { $0.name == "LOCAL, length 0" }).bytes)
            #expect(local.receive(6).text == "hello ")
            let own = try local.localEndpoint.description
            #expect(headers.value.last?.addresses?.source.description == own)
        }
    }

    @Test func `an upstream that breaks before it has read the header ends the connection, and nothing is discarded`()
        async throws
    {
        // A reset before the dial was seen would be a dial that failed.
        let isDialed = TestSemaphore()
        let server = try TCPServer {
            isDialed.wait()
            try $0.reset()
        }
        try await withTCP("\(server.endpoint)", settings: Proxied.relaying(.v2)) { rig in
            let client = try rig.connect()
            try rig.recorder.expect(.dialed(upstream: 0))
            isDialed.signal()
            #expect(client.receive().ending == .reset)
            try rig.recorder.expect(.closed(.upstreamReset))
            #expect(rig.recorder.events == [.opened, .dialed(upstream: 0), .closed(.upstreamReset)])
        }
    }

    @Test func `an upstream whose habit is a single answer gets its header at once, too`() async throws {
        let headers = Box<[ProxyHeader]>([])
        let server = try TCPServer { connection in
            var bytes: [UInt8] = []
            while true {
                bytes += connection.receive(1).bytes
                if case .complete(let header) = ProxyHeaderParser.parse(stream: bytes.span) {
                    headers.update { $0.append(header) }
                    break
                }
            }
            _ = connection.receive(1)
            try connection.sendWithEnd([1])
        }
        try await withTCP("\(server.endpoint)", settings: Proxied.relaying(.v1)) { rig in
            for round in 1...40 {
                let client = try rig.connect()
                try waitUntil("the header comes before the question") { headers.value.count == round }
                try client.send("?")
                #expect(client.receive().isWhole([1]))
            }
        }
    }
}
