import LinuxIO
import NetworkTypes
import TestSupport
import Testing

@testable import WeirStream

@Suite struct ProxyHeaderWriterTests {
    private static func addresses(_ source: String, _ destination: String) throws -> ProxyHeader.Addresses {
        ProxyHeader.Addresses(
            source: try #require(SocketAddress(source)), destination: try #require(SocketAddress(destination)))
    }

    @Test func `a line of version 1 is exactly what the specification shows`() throws {
        let ipv4 = try Self.addresses("192.0.2.1:56324", "198.51.100.2:443")
        #expect(
            String(decoding: ProxyHeaderWriter.bytes(.v1, for: ipv4), as: UTF8.self)
                == "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n")
        let ipv6 = try Self.addresses("[2001:db8::1]:65535", "[2001:db8:ffff::2]:53")
        #expect(
            String(decoding: ProxyHeaderWriter.bytes(.v1, for: ipv6), as: UTF8.self)
                == "PROXY TCP6 2001:db8::1 2001:db8:ffff::2 65535 53\r\n")
    }

    @Test func `a binary header is byte for byte the one of the corpus`() throws {
        let ipv4 = try Self.addresses("192.0.2.1:56324", "198.51.100.2:443")
        #expect(ProxyHeaderWriter.bytes(.v2, for: ipv4) == HeaderVector.binary[0].bytes)
        #expect(ProxyHeaderWriter.datagramBytes(for: ipv4) == HeaderVector.datagrams[0].bytes)
        let ipv6 = try Self.addresses("[2001:db8::1]:65535", "[2001:db8:ffff::2]:53")
        #expect(ProxyHeaderWriter.bytes(.v2, for: ipv6) == HeaderVector.binary[1].bytes)
        #expect(ProxyHeaderWriter.datagramBytes(for: ipv6) == HeaderVector.datagrams[1].bytes)
    }

    @Test(arguments: [
        ("192.0.2.1:1", "198.51.100.2:65535"), ("[::1]:0", "[fe80::1%7]:9"), ("192.0.2.1:5", "[2001:db8::2]:6"),
        ("[2001:db8::2]:5", "192.0.2.1:6"), ("[::]:1", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"),
    ])
    func `what is written is read again, also where the families differ`(source: String, destination: String) throws {
        var addresses = try Self.addresses(source, destination)
        let streams = ProxyHeader.Version.allCases.map { ProxyHeaderWriter.bytes($0, for: addresses) }
        let datagram = ProxyHeaderWriter.datagramBytes(for: addresses)
        // An interface of this machine means nothing to another one.
        addresses = ProxyHeader.Addresses(
            source: addresses.source,
            destination: SocketAddress(addresses.destination.ip, port: addresses.destination.port))
        for (version, bytes) in zip(ProxyHeader.Version.allCases, streams) {
            #expect(
                ProxyHeaderParser.parse(stream: bytes.span)
                    == .complete(ProxyHeader(version: version, length: bytes.count, addresses: addresses)))
        }
        #expect(
            ProxyHeaderParser.parse(datagram: datagram.span)
                == .complete(ProxyHeader(version: .v2, length: datagram.count, addresses: addresses)))
        #expect(datagram.count <= ProxyHeaderWriter.maxDatagramHeaderLength)
        #expect(streams[0].count <= ProxyHeader.maxLengthV1)
    }
}
