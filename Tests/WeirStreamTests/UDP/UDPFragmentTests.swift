import TestSupport
import Testing
import WeirStream

/// Datagrams that are longer than the packets of a link on their way are cut, or never.
@Suite(.timeLimit(.minutes(1))) struct UDPFragmentTests {
    private static let long = Pattern.bytes(1_300)

    @Test(arguments: ["udp://10.77.0.1:0", "udp4://:0", "udp://:0"])
    func `a long reply reaches a client behind a narrow link, also where no router can tell`(listen: String)
        async throws
    {
        let path = try NarrowPath()
        let upstream = try path.home.run { try CollectingUpstream() }
        try await withUDP(
            "\(upstream.server.endpoint)", listen: listen, engine: EngineSetup(network: path.home)
        ) { rig in
            let client = try path.far.run { try UDPSocket(bindingTo: Endpoint("10.78.0.2", 0)) }
            try client.send([1], to: Endpoint("10.77.0.1", rig.endpoint.port))
            let session = try upstream.session()
            // With the DF bit the first one is lost whatever the router tells.
            for round in 0..<3 {
                try upstream.server.send(Self.long + [UInt8(round)], to: session)
                expectSame([try client.receive().bytes], [Self.long + [UInt8(round)]])
            }
            try rig.recorder.expectForwarded(.egress, 3)
            #expect(rig.recorder.dropped(.egress) == 0)
        }
    }

    @Test func `with dontFragment no part of a long reply arrives, and later ones are dropped by name`() async throws {
        let path = try NarrowPath()
        let upstream = try path.home.run { try CollectingUpstream() }
        try await withUDP(
            "\(upstream.server.endpoint)", listen: "udp://10.77.0.1:0", settings: UDPSettings(dontFragment: true),
            engine: EngineSetup(network: path.home)
        ) { rig in
            let client = try path.far.run { try UDPSocket(bindingTo: Endpoint("10.78.0.2", 0)) }
            try client.send([1], to: rig.endpoint)
            let session = try upstream.session()
            try waitUntil("the path is known") {
                try upstream.server.send(Self.long, to: session)
                return rig.recorder.dropped(.egress, .tooLarge) > 0
            }
            try upstream.server.send([7], to: session)
            expectSame([try client.receive().bytes], [[7]])
        }
    }

    @Test(arguments: ["127.0.0.1", "::1"], [false, true])
    func `a link that is too narrow itself: cut or dropped, both ways and over both families`(
        host: String, dontFragment: Bool
    ) async throws {
        let home = try NetworkNamespace()
        try home.ip("link set lo mtu 1280")
        let upstream = try home.run { try CollectingUpstream(host: host) }
        try await withUDP(
            "\(upstream.server.endpoint)", listen: "udp://\(Endpoint(host, 0))",
            settings: UDPSettings(dontFragment: dontFragment), engine: EngineSetup(network: home)
        ) { rig in
            let client = try home.run { try UDPSocket(bindingTo: Endpoint(host, 0)) }
            for bytes in [[1], Self.long, [2]] { try client.send(bytes, to: rig.endpoint) }
            let wanted = dontFragment ? [[1], [2]] : [[1], Self.long, [2]]
            expectSame(try upstream.payloads(atLeast: wanted.count), wanted)
            let session = try upstream.session()
            for bytes in [[1], Self.long, [2]] { try upstream.server.send(bytes, to: session) }
            expectSame(try wanted.map { _ in try client.receive().bytes }, wanted)
            for direction in [Direction.ingress, .egress] {
                try rig.recorder.expectForwarded(direction, wanted.count)
                #expect(rig.recorder.dropped(direction, .tooLarge) == 3 - wanted.count)
            }
        }
    }

    @Test func `an update changes it for the replies of open sessions, too`() async throws {
        let home = try NetworkNamespace()
        try home.ip("link set lo mtu 1280")
        let upstream = try home.run { try CollectingUpstream() }
        try await withUDP("\(upstream.server.endpoint)", engine: EngineSetup(network: home)) { rig in
            let client = try home.run { try UDPSocket() }
            try client.send([1], to: rig.endpoint)
            let session = try upstream.session()
            for dontFragment in [false, true, false] {
                let target = try Upstream("\(upstream.server.endpoint)")
                try wait {
                    try await rig.stream.update(
                        name: "test", upstreams: [target], settings: UDPSettings(dontFragment: dontFragment),
                        hooks: StreamHooks(observer: rig.recorder))
                }
                for bytes in [Self.long, [2]] { try upstream.server.send(bytes, to: session) }
                if !dontFragment { expectSame([try client.receive().bytes], [Self.long]) }
                expectSame([try client.receive().bytes], [[2]])
            }
            #expect(rig.recorder.dropped(.egress, .tooLarge) == 1)
            #expect(rig.recorder.count(.opened) == 1)
        }
    }
}
