import NetworkTypes
import Testing

@Suite struct EndpointTests {
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

    @Test func `a listening Unix socket is read and printed, and overlaps only itself`() throws {
        for text in ["unix:/run/weir/db.sock", "unix:@weir"] {
            let address = try ListenAddress(text)
            #expect(address.description == text && address.addressText == text && address.path?.description == text)
            #expect(address.network == .tcp && !address.isDualStack && ListenerKey(address).description == text)
        }
        let keys = try ["unix:/run/a", "unix:/run/A", "tcp://:0", "unix:/run/a"].map {
            ListenerKey(try ListenAddress($0))
        }
        #expect(keys[0].overlaps(keys[3]) && keys[0] == keys[3])
        #expect(!keys[0].overlaps(keys[1]) && !keys[0].overlaps(keys[2]) && !keys[2].overlaps(keys[0]))
        #expect(!keys[0].takes(.anyIPv6, isLocal: true) && !keys[0].takes(.loopbackIPv4, isLocal: true))
        #expect(throws: EndpointError.self) { try ListenAddress("unix:") }
        #expect(throws: EndpointError.self) { try ListenAddress("unix:/" + String(repeating: "x", count: 107)) }
    }

    @Test(arguments: [
        "", ":", "tcp", "tcp:", "tcp://", "tcp://:", "tcp://:70000", "tcp://:-1", "tcp://127.0.0.1", "http://:80",
        "tcp://localhost:80", "TCP://:80", "tcp:/127.0.0.1:80", "tcp://[::1:80", "tcp://::1:80", "tcp://127.0.0.1:+80",
        "tcp://127.0.0.1:", "tcp://:80 ", "tcp://[]:80", "tcp://:080",
    ])
    func `what is not a listening address is refused with its text`(text: String) {
        #expect(throws: EndpointError.invalidListenAddress(text)) { try ListenAddress(text) }
    }

    @Test(arguments: ["tcp4://[::1]:80", "udp4://[::]:80", "tcp6://127.0.0.1:80", "udp6://0.0.0.0:80"])
    func `a scheme that excludes the address's family is refused`(text: String) {
        #expect(throws: EndpointError.addressFamilyMismatch(text)) { try ListenAddress(text) }
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
        #expect(upstream.host.description == host)
        #expect(upstream.description == printed)
        #expect(upstream.transport == nil)
        if case .address = upstream.host { #expect(isLiteral) } else { #expect(!isLiteral) }
    }

    @Test(arguments: [
        "", "localhost", ":22", "localhost:", "localhost:0", "localhost:65536", "localhost:+22", "::1:22", "a:b:22",
        "localhost:022",
    ])
    func `what is not an upstream is refused`(text: String) {
        #expect(throws: EndpointError.self) { try Upstream(text) }
    }

    @Test func `names that are too long or hold a zero byte are no upstream`() {
        #expect(throws: EndpointError.self) { try Upstream(host: String(repeating: "a", count: 254), port: 1) }
        #expect(throws: EndpointError.self) { try Upstream(host: "a\0b", port: 1) }
    }

    @Test(arguments: [
        ("tcp://localhost:22", Transport.tcp, "localhost:22"), ("udp://[::1]:53", .udp, "[::1]:53"),
    ])
    func `a transport may stand in front of an upstream`(text: String, transport: Transport, printed: String) throws {
        let upstream = try Upstream(text)
        #expect(upstream.transport == transport)
        #expect(upstream.description == printed)
    }

    @Test(arguments: [
        "http://localhost:80", "TCP://localhost:80", "tcp4://localhost:80", "tcp://:80", "tcp:/a:1", "://a:1",
    ])
    func `any other scheme in front of an upstream is refused with its text`(text: String) {
        #expect(throws: EndpointError.invalidUpstream(text)) { try Upstream(text) }
    }

    @Test func `errors say what was wrong in one line`() {
        #expect(
            EndpointError.invalidListenAddress("a").description
                == "\"a\" is not an address to listen on; expected scheme://address:port with one of the schemes "
                + "tcp, tcp4, tcp6, udp, udp4, udp6, or unix:/path")
        #expect(
            EndpointError.invalidUpstream("a").description
                == "\"a\" is not an upstream; expected host:port or unix:/path")
        #expect(
            EndpointError.addressFamilyMismatch("tcp4://[::1]:80").description
                == "tcp4://[::1]:80: the address is of a family that the scheme excludes")
    }
}
