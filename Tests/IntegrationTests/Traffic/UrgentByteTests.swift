import TestSupport
import Testing

extension Integration {
    @Suite("TCP's urgent byte")
    struct UrgentByteTests {
        @Test("it arrives in its place among the others, from either side")
        func inline() throws {
            let server = try TCPServer { connection in
                let question = connection.receive(7)
                try connection.send("ab")
                try connection.sendUrgent(UInt8(ascii: "?"))
                try connection.send("cd:")
                try connection.send(question.bytes)
                try connection.shutdownWriting()
                _ = connection.receive()
            }
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("telnet", port, to: server.port))
            for round in 0..<20 {
                let client = try TestConnection(to: Endpoint(port))
                try client.send("abc")
                // With and without a turn between them.
                if round.isMultiple(of: 2) { _ = client.isReadable(within: 5) }
                try client.sendUrgent(UInt8(ascii: "!"))
                if round.isMultiple(of: 4) { _ = client.isReadable(within: 5) }
                try client.send("def")
                #expect(client.receive().text == "ab?cd:abc!def")
                client.close()
            }
            let samples = try weir.scrapeWhenIdle("telnet")
            #expect(samples.bytes("telnet", "ingress") == 20 * 7)
            #expect(samples.bytes("telnet", "egress") == 20 * 13)
        }
    }
}
