import LinuxIO
import TestSupport
import Testing
import WeirStream

@Suite(.timeLimit(.minutes(1))) struct UDPOwnAddressTests {
    @Test func `a session without answers leaves an old uplink whose address is still there, after ten seconds`()
        async throws
    {
        let (home, far) = (try NetworkNamespace(), try NetworkNamespace())
        try NetworkNamespace.connect(home, far, net: 77)
        try NetworkNamespace.connect(home, far, net: 78)
        for network in [home, far] {
            for name in ["all", "cable77", "cable78"] { try network.set("ipv4/conf/\(name)/rp_filter", "0") }
        }
        try far.ip("address add 10.99.0.2/32 dev lo")
        try home.ip("route add 10.99.0.2 via 10.77.0.2")
        let server = try far.run { try UDPServer.echo(host: "10.99.0.2") }
        let clock = TestClock()
        try await withUDP("\(server.endpoint)", engine: EngineSetup(clock: clock, network: home)) { rig in
            try home.run {
                let client = try UDPSocket()
                func isAnswered() throws -> Bool {
                    let sent = rig.recorder.forwarded(.ingress)
                    try client.send([1], to: rig.endpoint)
                    try rig.recorder.expectForwarded(.ingress, sent + 1)
                    return client.isReadable(within: 300)
                }
                #expect(try isAnswered())
                _ = try client.receive()
                // The other uplink takes over, and answers to the old address find no way.
                try far.ip("route add blackhole 10.77.0.1/32")
                try home.ip("route replace 10.99.0.2 via 10.78.0.2")
                #expect(try !isAnswered())
                rig.advance(by: .seconds(5))
                #expect(try !isAnswered())
                #expect(rig.recorder.count(.moved(.ownAddressChanged)) == 0)
                rig.advance(by: .seconds(6))
                #expect(try isAnswered())
                #expect(rig.recorder.count(.moved(.ownAddressChanged)) == 1)
                #expect(rig.recorder.count(.opened) == 1)
            }
        }
    }

    @Test func `a silent upstream alone moves no session`() async throws {
        let isSilent = Box(false)
        let sources = Box<Set<UInt16>>([])
        let server = try UDPServer { datagram in
            sources.update { _ = $0.insert(datagram.source.port) }
            return isSilent.value ? [] : [datagram.bytes]
        }
        try await withUDP("\(server.endpoint)", engine: EngineSetup(clock: TestClock())) { rig in
            let client = try UDPSocket()
            try client.send([1], to: rig.endpoint)
            _ = try client.receive()
            isSilent.set(true)
            for round in 1...10 {
                rig.advance(by: .seconds(3))
                try client.send([2], to: rig.endpoint)
                try waitUntil("datagram \(round) has arrived") { server.received == round + 1 }
            }
            #expect(rig.recorder.count(.moved(.ownAddressChanged)) == 0)
            #expect(sources.value.count == 1)
        }
    }
}
