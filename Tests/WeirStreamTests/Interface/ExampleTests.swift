import LinuxIO
import NetworkTypes
import TestSupport
import Testing
import WeirStream

/// The public face, used as the documentation shows it, without anything internal.
@Suite(.timeLimit(.minutes(1))) struct ExampleTests {
    @Test func `the example of the documentation relays, tells its port and closes`() async throws {
        let server = try TCPServer.echo()
        let stream = try TCPStream(listen: "tcp://127.0.0.1:0", upstream: "127.0.0.1:\(server.port)")
        #expect(stream.localAddress == SocketAddress("127.0.0.1:0"))
        try await stream.listenAndServe(preDial: { context in .dial }, onRead: { event in .forward })
        let port = stream.localAddress.port
        #expect(port != 0)
        let client = try await offPool {
            let client = try TestConnection(to: Endpoint(port))
            try client.send("over the weir")
            #expect(client.receive(13).text == "over the weir")
            return client
        }
        #expect(stream.openCount == 1)
        await stream.close()
        // The listener is gone, the old connection lives on.
        try await offPool {
            #expect(throws: SystemFailure.self) { try TestConnection(to: Endpoint(port)) }
            try client.send("still")
            #expect(client.receive(5).text == "still")
            try client.shutdownWriting()
            #expect(client.receive().ending == .endOfStream)
        }
        await stream.waitUntilClosed()
        #expect(stream.openCount == 0)
    }

    @Test func `a datagram stream is used the same way`() async throws {
        let server = try UDPServer.echo()
        let stream = try UDPStream(listen: "udp://127.0.0.1:0", upstream: "127.0.0.1:\(server.port)")
        try await stream.listenAndServe(preDial: { context in .dial }, onRead: { event in .forward })
        let port = stream.localAddress.port
        try await offPool {
            let client = try UDPSocket()
            try client.send([1, 2, 3], to: Endpoint(port))
            let reply = try client.receive()
            #expect(reply.bytes == [1, 2, 3])
            #expect(reply.source == Endpoint(port))
        }
        #expect(stream.openCount == 1)
        await stream.close()
        await stream.waitUntilClosed()
        #expect(stream.openCount == 0)
    }

    @Test func `a stream starts once, and only once it is closed it is over`() async throws {
        let stream = try TCPStream(listen: "tcp://127.0.0.1:0", upstream: "127.0.0.1:1")
        // Never served: nothing to wait for.
        await stream.waitUntilClosed()
        try await stream.listenAndServe()
        await #expect(throws: StreamError.alreadyStarted) { try await stream.listenAndServe() }
        await stream.close()
        await stream.close()
        await stream.kill()
        await stream.waitUntilClosed()
        await #expect(throws: StreamError.alreadyStarted) { try await stream.listenAndServe() }
    }

    @Test func `clients of a bound stream wait in the kernel until it serves`() async throws {
        let server = try UDPServer.echo()
        let stream = try UDPStream(listen: "udp://127.0.0.1:0", upstream: "127.0.0.1:\(server.port)")
        try stream.bind()
        try stream.bind()
        let port = stream.localAddress.port
        let client = try UDPSocket()
        try client.send([7], to: Endpoint(port))
        try await stream.listenAndServe()
        #expect(stream.localAddress.port == port)
        let reply = try await offPool { try client.receive() }
        #expect(reply.bytes == [7])
        await stream.kill()
        await stream.waitUntilClosed()
    }

    @Test func `a bound stream that never served gives its address back when it is closed`() async throws {
        let stream = try TCPStream(listen: "tcp://127.0.0.1:0", upstream: "127.0.0.1:1")
        try stream.bind()
        let port = stream.localAddress.port
        let other = try TCPStream(listen: "tcp://127.0.0.1:\(port)", upstream: "127.0.0.1:1")
        #expect(throws: StreamError.self) { try other.bind() }
        await stream.close()
        try other.bind()
        await other.close()
    }
}
