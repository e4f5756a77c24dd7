import LinuxIO
import Testing
import WeirStream

@Suite struct AddressTextTests {
    @Test func `a text that is no address is a stream's error, with the same words`() throws {
        let fault = try #require(
            #expect(throws: StreamError.self) { try TCPStream(listen: "tcp://a", upstream: "a:1") })
        #expect(fault == .invalidListenAddress("tcp://a"))
        #expect(fault.description == EndpointError.invalidListenAddress("tcp://a").description)
        #expect(throws: StreamError.invalidUpstream("localhost")) {
            try UDPStream(listen: "udp://127.0.0.1:0", upstream: "localhost")
        }
        #expect(throws: StreamError.addressFamilyMismatch("tcp4://[::1]:0")) {
            try TCPStream(listen: "tcp4://[::1]:0", upstream: "a:1")
        }
    }

    @Test func `only a literal is an address before it is resolved`() throws {
        #expect(try Upstream("192.0.2.7:1").literal == SocketAddress("192.0.2.7:1"))
        #expect(try Upstream("[fe80::1%7]:1").literal == SocketAddress("[fe80::1%7]:1"))
        #expect(try Upstream("localhost:1").literal == nil)
        #expect(try Upstream("[fe80::1%no-such-link]:1").literal == nil)
    }

    @Test func `an upstream of the other transport is refused, when a stream is made and later`() async throws {
        #expect(throws: StreamError.transportMismatch("udp://localhost:22")) {
            try TCPStream(listen: "tcp://127.0.0.1:0", upstream: "udp://localhost:22")
        }
        #expect(throws: StreamError.transportMismatch("tcp://[::1]:53")) {
            try UDPStream(listen: "udp://127.0.0.1:0", upstream: "tcp://[::1]:53")
        }
        let stream = try TCPStream(listen: "tcp://127.0.0.1:0", upstream: "tcp://localhost:22")
        await #expect(throws: StreamError.transportMismatch("udp://localhost:22")) {
            try await stream.update(
                name: "a", upstreams: [Upstream("localhost:22"), Upstream("udp://localhost:22")],
                settings: TCPSettings(), hooks: StreamHooks())
        }
    }

    @Test func `a listener on an interface that does not exist is told by the bind`() throws {
        let stream = try TCPStream(listen: "tcp://[fe80::1%no-such-link]:0", upstream: "a:1")
        #expect(stream.localAddress.port == 0)
        let fault = #expect(throws: StreamError.self) { try stream.bind() }
        #expect(
            fault?.description
                == "cannot listen on tcp://[fe80::1%no-such-link]:0: if_nametoindex: No such device (19)")
    }

    @Test func `a stream refuses the other transport and an empty list of upstreams`() throws {
        #expect(throws: StreamError.transportMismatch("udp://127.0.0.1:0")) {
            try TCPStream(listen: "udp://127.0.0.1:0", upstream: "127.0.0.1:1")
        }
        #expect(throws: StreamError.transportMismatch("tcp://127.0.0.1:0")) {
            try UDPStream(listen: "tcp://127.0.0.1:0", upstream: "127.0.0.1:1")
        }
        let engine = try StreamEngine.shared()
        #expect(throws: StreamError.noUpstream) {
            try TCPStream(
                name: "none", listen: ListenAddress("tcp://127.0.0.1:0"), upstreams: [], settings: TCPSettings(),
                engine: engine)
        }
    }

    @Test func `errors say what was wrong in one line`() throws {
        let listen = try ListenAddress("tcp://127.0.0.1:80")
        let refused = StreamError.bindFailed(listen, SystemError(.bind, 98))
        #expect(refused.description == "cannot listen on tcp://127.0.0.1:80: bind: Address already in use (98)")
        let loop = StreamError.loop(listen, upstream: "127.0.0.1:80")
        #expect(loop.description == "tcp://127.0.0.1:80: the upstream 127.0.0.1:80 is one of our own listeners")
    }
}
