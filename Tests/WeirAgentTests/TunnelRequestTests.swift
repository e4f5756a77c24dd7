#if TLS
import NetworkTypes
import Testing
import WeirStream

@testable import WeirAgent

@Suite("The request of a tunnel")
struct TunnelRequestTests {
    private static func dial(_ host: String, _ port: UInt16) throws -> TunnelRequest {
        TunnelRequest(.dial(try Upstream(host: host, port: port)))
    }

    private static func scan(_ bytes: [UInt8], _ tunnelProtocol: TunnelProtocol = .plain) -> TunnelRequestScan {
        TunnelRequestParser.parse(bytes.span, tunnelProtocol)
    }

    /// Replaces bytes of a header, and states the checksum of what it then is.
    private static func header(_ change: (inout [UInt8]) -> Void) throws -> [UInt8] {
        var bytes = Array(try dial("db", 5432).bytes(.plain).prefix(TunnelRequest.checksumOffset))
        change(&bytes)
        let checksum = CRC32.checksum(of: bytes.span, count: bytes.count)
        return bytes + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: checksum >> UInt32($0)) }
    }

    @Test(
        "the checksums are those of the protocol's vectors",
        arguments: [
            ("example.com", 443, [0xe8, 0x9b, 0x2e, 0x09]), ("127.0.0.1", 22, [0x8d, 0xe3, 0x9d, 0x4f]),
            ("::1", 53, [0x32, 0xb7, 0x9c, 0xbb]), ("10.0.0.5", 8080, [0xf9, 0x20, 0xd2, 0xc6]),
        ] as [(String, UInt16, [UInt8])])
    func vectors(host: String, port: UInt16, checksum: [UInt8]) throws {
        let request = try Self.dial(host, port)
        let bytes = request.bytes(.plain)
        #expect(bytes.count == 275)
        #expect(Array(bytes[..<8]) == Array("0.1.0".utf8) + [0, 0, 0])
        #expect(Int(bytes[8]) == host.utf8.count)
        #expect(Array(bytes[9..<(9 + host.utf8.count)]) == Array(host.utf8))
        #expect(Array(bytes[271...]) == checksum)
        #expect(Self.scan(bytes) == .complete(request, length: 275))
    }

    @Test("a probe names no destination")
    func probe() {
        let bytes = TunnelRequest(.probe).bytes(.plain)
        #expect(Array(bytes[8..<270]) == Array(repeating: 0, count: 262))
        #expect(Array(bytes[270...]) == [1, 0x7d, 0x62, 0x1c, 0x75])
        #expect(Self.scan(bytes) == .complete(TunnelRequest(.probe), length: 275))
    }

    @Test("the time that is left and the client travel behind the header")
    func ownProtocol() throws {
        var request = try Self.dial("db.example.net.", 5432)
        #expect(Array(request.bytes(.weir).suffix(4)) == [0, 0, 0, 0])
        request.timeLeft = .milliseconds(2500)
        #expect(Array(request.bytes(.weir).suffix(4)) == [0, 0, 0x09, 0xc4])
        #expect(Self.scan(request.bytes(.weir), .weir) == .complete(request, length: 279))
        let client = try #require(IPAddress("2001:db8::7"))
        let server = try #require(IPAddress("192.0.2.1"))
        request.client = ProxyHeader.Addresses(
            source: SocketAddress(client, port: 40_000), destination: SocketAddress(server, port: 5432))
        let bytes = request.bytes(.weir)
        #expect(bytes.count == 279 + 16 + 36)
        #expect(bytes[270] == 2)
        #expect(Self.scan(bytes + [1, 2, 3], .weir) == .complete(request, length: bytes.count))
    }

    @Test("none of that travels by the protocol of others, and its unknown flags mean nothing")
    func plainProtocol() throws {
        var request = try Self.dial("db", 5432)
        request.timeLeft = .seconds(1)
        #expect(request.bytes(.plain).count == 275)
        let flagged = try Self.header { $0[270] = 0xfe }
        #expect(Self.scan(flagged) == .complete(try Self.dial("db", 5432), length: 275))
        #expect(Self.scan(flagged + [0, 0, 0, 0], .weir) == .invalid(.malformed))
    }

    @Test("a time is rounded to what can be said")
    func times() throws {
        func sent(_ time: Duration) throws -> Duration? {
            let request = TunnelRequest(.probe, timeLeft: time)
            guard case .complete(let read, _) = Self.scan(request.bytes(.weir), .weir) else { return nil }
            return read.timeLeft
        }
        #expect(try sent(.nanoseconds(5)) == .milliseconds(1))
        #expect(try sent(.seconds(-5)) == .milliseconds(1))
        #expect(try sent(.seconds(1 << 40)) == .milliseconds(4_294_967_295))
        #expect(try sent(.microseconds(1_999_999)) == .milliseconds(1999))
    }

    @Test("whichever part has arrived, more is asked for, and never more than there is")
    func everyCut() throws {
        var request = try Self.dial("::1", 53)
        request.client = ProxyHeader.Addresses(
            source: SocketAddress(.loopbackIPv4, port: 1), destination: SocketAddress(.loopbackIPv4, port: 2))
        let bytes = request.bytes(.weir)
        for count in 0..<bytes.count {
            guard case .needsMore(let wanted) = Self.scan(Array(bytes[..<count]), .weir) else {
                Issue.record("\(count) bytes were enough")
                continue
            }
            #expect(wanted > count && wanted <= bytes.count)
        }
    }

    @Test("faults are told apart, a wrong version at its first byte")
    func faults() throws {
        let good = try Self.dial("db", 5432).bytes(.plain)
        #expect(Self.scan([0x30, 0x2e, 0x32]) == .invalid(.version))
        #expect(Self.scan(Array("GET / HT".utf8)) == .invalid(.version))
        for index in [8, 100, 264, 270, 271, 274] {
            var bytes = good
            bytes[index] ^= 0x40
            #expect(Self.scan(bytes) == .invalid(.checksum), "\(index)")
        }
        #expect(Self.scan(try Self.header { $0[264] = 6 }) == .invalid(.malformed))
        #expect(Self.scan(try Self.header { $0[264] = 0 }) == .invalid(.malformed))
        #expect(Self.scan(try Self.header { $0[8] = 0 }) == .invalid(.malformed))
        #expect(Self.scan(try Self.header { $0[265] = UInt8(ascii: "x") }) == .invalid(.malformed))
        #expect(Self.scan(try Self.header { $0[8] = 3 }) == .invalid(.malformed))
        // Bytes behind the stated lengths have no meaning.
        let padded = try Self.header { $0[200] = 7 }
        #expect(Self.scan(padded) == .complete(try Self.dial("db", 5432), length: 275))
    }

    @Test(
        "hosts that are neither an address nor a host name are refused, Unix sockets among them",
        arguments: [
            "unix:/run/docker.sock", "unix:@x", "[::1]", "1.2.3", "a..b", "a b", "a\0b", "-\u{e4}", ".", "fe80::1%",
            "2130706433",
        ])
    func hosts(host: String) {
        #expect(TunnelDestination.parse(host: Array(host.utf8)[...], port: 80) == nil)
    }

    @Test("a port of 0 is none, and names are read in lower case")
    func destinations() throws {
        #expect(TunnelDestination.parse(host: Array("db".utf8)[...], port: 0) == nil)
        let upstream = try #require(TunnelDestination.parse(host: Array("DB.Example.NET".utf8)[...], port: 1))
        #expect(upstream.host == .name("db.example.net"))
        let scoped = try #require(TunnelDestination.parse(host: Array("fe80::1%eth0".utf8)[...], port: 1))
        #expect(!scoped.host.isName)
    }

    @Test("the client's block is a PROXY header of version 2, of bounded length")
    func clientBlock() throws {
        let start = try Self.header { $0[270] = 2 } + [0, 0, 0, 0]
        #expect(Self.scan(start, .weir) == .needsMore(atLeast: 279 + 16))
        #expect(Self.scan(start + Array("PROXY ".utf8), .weir) == .invalid(.malformed))
        let signature: [UInt8] = [0x0d, 0x0a, 0x0d, 0x0a, 0, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]
        #expect(Self.scan(start + signature + [0x21, 0x11, 2, 9], .weir) == .invalid(.malformed))
        #expect(Self.scan(start + signature + [0x21, 0x11, 2, 8], .weir) == .needsMore(atLeast: 279 + 536))
        // LOCAL: the client is the proxy itself.
        let local = TunnelRequest(.dial(try Upstream(host: "db", port: 5432)))
        #expect(Self.scan(start + signature + [0x20, 0, 0, 0], .weir) == .complete(local, length: 295))
    }
}

@Suite("The status of a tunnel")
struct TunnelStatusTests {
    @Test("every status is read as it was written", arguments: TunnelStatus.allCases)
    func roundTrip(status: TunnelStatus) {
        let bytes = status.bytes
        #expect(bytes == [0x57, 1, status.rawValue, 0])
        #expect(TunnelStatus.parse(bytes.span) == .complete(status))
        for count in 0..<4 { #expect(TunnelStatus.parse(Array(bytes[..<count]).span) == .needsMore) }
    }

    @Test("a status of a later version is another reason; other bytes are none")
    func others() {
        #expect(TunnelStatus.parse([0x57, 1, 200, 9, 1].span) == .complete(.other))
        #expect(TunnelStatus.parse([0x56].span) == .invalid)
        #expect(TunnelStatus.parse([0x57, 2].span) == .invalid)
    }
}
#endif
