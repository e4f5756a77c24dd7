import LinuxIO
import Testing
import WeirStream

@Suite struct AddressTextTests {
    @Test(arguments: [
        ("tcp://127.0.0.1:8080", "tcp://127.0.0.1:8080", false),
        ("tcp4://:2222", "tcp4://0.0.0.0:2222", false),
        ("tcp6://:2222", "tcp6://[::]:2222", false),
        ("tcp://:2222", "tcp://[::]:2222", true),
        ("udp://:53", "udp://[::]:53", true),
        ("udp6://[::1]:53", "udp6://[::1]:53", false),
        ("udp://[::1]:0", "udp://[::1]:0", false),
    ])
    func `a listening address is read and printed`(text: String, printed: String, isDualStack: Bool) throws {
        let address = try ListenAddress(text)
        #expect(address.description == printed)
        #expect(address.isDualStack == isDualStack)
        #expect(try ListenAddress(printed) == address)
    }

    @Test(arguments: [
        "", ":", "tcp", "tcp:", "tcp://", "tcp://:", "tcp://:70000", "tcp://:-1", "tcp://127.0.0.1", "http://:80",
        "tcp://localhost:80", "TCP://:80", "tcp:/127.0.0.1:80", "tcp://[::1:80", "tcp://::1:80", "tcp://127.0.0.1:+80",
        "tcp://127.0.0.1:", "tcp://:80 ",
    ])
    func `what is not a listening address is refused with its text`(text: String) {
        #expect(throws: StreamError.invalidListenAddress(text)) { try ListenAddress(text) }
    }

    @Test(arguments: ["tcp4://[::1]:80", "udp4://[::]:80", "tcp6://127.0.0.1:80", "udp6://0.0.0.0:80"])
    func `a scheme that excludes the address's family is refused`(text: String) {
        #expect(throws: StreamError.addressFamilyMismatch(text)) { try ListenAddress(text) }
    }

    @Test(arguments: [
        ("localhost:22", "localhost", "localhost:22", false),
        ("192.0.2.7:1", "192.0.2.7", "192.0.2.7:1", true),
        ("[2001:db8::7]:65535", "2001:db8::7", "[2001:db8::7]:65535", true),
        ("db.internal.example:5432", "db.internal.example", "db.internal.example:5432", false),
        // Not an address: leading zeros have more than one reading, so it is left to the resolver.
        ("192.0.2.007:1", "192.0.2.007", "192.0.2.007:1", false),
    ])
    func `an upstream is read and printed`(text: String, host: String, printed: String, isLiteral: Bool) throws {
        let upstream = try Upstream(text)
        #expect(upstream.host == host)
        #expect(upstream.description == printed)
        #expect((upstream.literal != nil) == isLiteral)
    }

    @Test(arguments: [
        "", "localhost", ":22", "localhost:", "localhost:0", "localhost:65536", "localhost:+22", "::1:22", "a:b:22",
    ])
    func `what is not an upstream is refused`(text: String) {
        #expect(throws: StreamError.self) { try Upstream(text) }
    }

    @Test func `names that are too long or hold a zero byte are no upstream`() {
        #expect(throws: StreamError.self) { try Upstream(host: String(repeating: "a", count: 254), port: 1) }
        #expect(throws: StreamError.self) { try Upstream(host: "a\0b", port: 1) }
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
