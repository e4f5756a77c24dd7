import LinuxIO
import TestSupport
import Testing
import WeirStream

@Suite(.timeLimit(.minutes(1))) struct UDPBroadcastTests {
    @Test(arguments: ["udp4://:0", "udp://:0"])
    func `a broadcast datagram is forwarded once, and answered from the interface's own address`(listen: String)
        async throws
    {
        let server = try UDPServer.echo()
        try await withUDP("\(server.endpoint)", listen: listen, engine: EngineSetup(workers: 3)) { rig in
            let clients = try (0..<8).map { _ in try UDPSocket() }
            for (number, client) in clients.enumerated() {
                try client.allowBroadcast()
                try client.send([UInt8(number)], to: Endpoint("127.255.255.255", rig.endpoint.port))
                let answer = try client.receive()
                #expect(answer.bytes == [UInt8(number)])
                #expect(answer.source == Endpoint("127.0.0.1", rig.endpoint.port))
            }
            // A datagram for each worker, which they take in their turn.
            rig.turn()
            try rig.recorder.expectForwarded(.egress, 8)
            #expect(server.received == 8)
            #expect(rig.recorder.count(.opened) == 8)
            // Datagrams to one address pass as before, on whichever worker.
            for client in clients {
                try client.send([9], to: Endpoint("127.0.0.1", rig.endpoint.port))
                #expect(try client.receive().bytes == [9])
            }
        }
    }
}
