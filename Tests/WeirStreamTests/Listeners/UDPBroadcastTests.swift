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

    @Test(arguments: ["udp4://:0", "udp://:0"])
    func `datagrams to a group that another program has joined are its own`(listen: String) async throws {
        let server = try UDPServer.echo()
        try await withUDP("\(server.endpoint)", listen: listen, engine: EngineSetup(workers: 3)) { rig in
            let member = try UDPSocket()
            try member.joinGroup("239.77.1.2")
            try member.send([1], to: Endpoint("239.77.1.2", rig.endpoint.port))
            // Whichever sockets have it by now, their workers read it in their next turn.
            for _ in 0..<2 {
                rig.turn()
                rig.finishTurns()
            }
            try member.send([2], to: Endpoint("127.0.0.1", rig.endpoint.port))
            #expect(try member.receive().bytes == [2])
            #expect(server.received == 1 && rig.recorder.forwarded(.ingress) == 1)
        }
    }
}
