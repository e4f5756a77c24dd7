import LinuxIO
import TestSupport
import Testing
import WeirStream

@Suite(.timeLimit(.minutes(1))) struct UDPLoopTests {
    @Test(arguments: ["udp://127.0.0.1:0", "udp4://:0", "udp://:0"])
    func `a datagram whose source is a listener of this process is refused`(listen: String) async throws {
        let server = try UDPServer.echo()
        try await withUDP("\(server.endpoint)", listen: listen) { rig in
            let port = rig.endpoint.port
            let raw = try RawSocket()
            let hosts = listen.contains("127.0.0.1") ? ["127.0.0.1"] : ["127.0.0.1", "127.0.0.9"]
            for host in hosts { try raw.send(UDPPacket(from: Endpoint(host, port), to: Endpoint(host, port), [1])) }
            try rig.recorder.expect(.rejected(.loop), times: hosts.count)
            try waitUntil("each is dropped by name") { rig.recorder.dropped(.ingress, .loop) == hosts.count }
            #expect(rig.stream.openCount == 0)
            // A client on this machine with a port of its own is served.
            let client = try UDPSocket()
            try client.send([2], to: Endpoint("127.0.0.1", port))
            #expect(try client.receive().bytes == [2])
            #expect(server.received == 1)
        }
    }
}
