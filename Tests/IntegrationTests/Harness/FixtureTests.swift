import TestSupport
import Testing

extension Integration {
    /// Each server without Weir in between. A failure here is one of the machine, not of Weir.
    @Suite("The servers by themselves")
    struct FixtureTests {
        @Test("sshd takes a file and gives it back")
        func sshd() throws {
            let server = try SSHServer()
            let folder = try TemporaryDirectory("scp")
            let original = try folder.write("original", "a file")
            let remote = "\(server.userName)@127.0.0.1:\(server.files.file("copy"))"
            for pair in [[original, remote], [remote, folder.file("back")]] {
                let run = try ChildProcess.run("scp", server.clientOptions + ["-s", "-P", "\(server.port)"] + pair)
                #expect(run.succeeded, "\(run)")
            }
            #expect(contents(of: folder.file("back")) == "a file")
        }

        @Test("redis-server counts exactly the question that it was asked")
        func redis() throws {
            let redis = try Redis()
            let first = try redis.networkBytes()
            let second = try redis.networkBytes()
            #expect(second.input - first.input == first.question)
            #expect(second.output - first.output == first.reply)
        }

        @Test("unbound answers over UDP and TCP")
        func unbound() throws {
            let unbound = try Unbound()
            for transport in ["+notcp", "+tcp"] {
                let run = try ChildProcess.run(
                    "dig", ["@127.0.0.1", "-p", "\(unbound.port)", "host10.\(Unbound.zone)", "+short", transport])
                #expect(run.output == "192.0.2.10\n", "\(run)")
            }
        }

        @Test("iperf3 reports what it moved, over TCP and UDP")
        func iperf() throws {
            let server = try IperfServer()
            let stream = try IperfServer.runClient(port: server.port, ["-n", "16M"])
            #expect(stream.sentBytes >= 16 << 20)
            // The server stops counting when the client says that it is done, whatever it has not read by then.
            #expect(stream.receivedBytes > 1 << 20 && stream.receivedBytes <= stream.sentBytes)
            let datagrams = try IperfServer.runClient(
                port: server.port, ["-u", "-b", "10M", "-l", "1200", "-t", "1"])
            #expect(datagrams.packets > 500)
        }

        @Test("a counting relay counts both directions")
        func countingRelay() throws {
            let echo = try TCPServer.echo()
            let relay = try CountingRelay(to: echo.endpoint)
            let client = try TestConnection(to: Endpoint(relay.port))
            try client.send(Pattern.bytes(50_000))
            try client.shutdownWriting()
            expectBytes(client.receive().bytes, Pattern.bytes(50_000))
            try relay.waitUntilIdle()
            #expect(relay.bytesSent == 50_000)
            #expect(relay.bytesReceived == 50_000)
        }
    }
}
