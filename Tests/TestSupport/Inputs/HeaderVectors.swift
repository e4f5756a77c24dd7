/// The corpus of PROXY headers: the first bytes of a stream, and the result that a receiver should have. Unit tests,
/// tests of the real binary, and the comparison with other proxies read this one table.
package struct HeaderVector: Sendable, CustomStringConvertible {
    package enum Outcome: Equatable, Sendable {
        /// The client is this, and it connected to that.
        case client(String, at: String)
        /// A valid header that keeps the peer as the client.
        case peer
        /// Refused, for this reason. A header that is only cut off is `truncated` once the stream ends.
        case refused(String)
    }

    package let name: String
    package let bytes: [UInt8]
    package let outcome: Outcome

    package var description: String { name }

    package var isAccepted: Bool {
        if case .refused = outcome { false } else { true }
    }

    private init(_ name: String, _ bytes: [UInt8], _ outcome: Outcome) {
        self.name = name
        self.bytes = bytes
        self.outcome = outcome
    }

    /// A line of version 1 with its CRLF.
    private static func line(_ text: String, _ outcome: Outcome, _ name: String? = nil) -> HeaderVector {
        HeaderVector(name ?? text, Array((text + "\r\n").utf8), outcome)
    }

    /// A header of version 2 with its true length.
    private static func v2(
        _ name: String, _ versionAndCommand: UInt8, _ family: UInt8, _ body: [UInt8], _ outcome: Outcome
    ) -> HeaderVector {
        HeaderVector(name, header(versionAndCommand, family, body), outcome)
    }

    private static func v2(_ name: String, _ body: [UInt8], _ outcome: Outcome) -> HeaderVector {
        v2(name, 0x21, 0x11, body, outcome)
    }

    private static func header(_ versionAndCommand: UInt8, _ family: UInt8, _ body: [UInt8]) -> [UInt8] {
        signature + [versionAndCommand, family, UInt8(body.count >> 8), UInt8(body.count & 255)] + body
    }

    private static let signature: [UInt8] = [0x0d, 0x0a, 0x0d, 0x0a, 0, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]
    /// 192.0.2.1:56324 to 198.51.100.2:443.
    private static let ipv4: [UInt8] = [192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 0x04, 0x01, 0xbb]
    /// [2001:db8::1]:65535 to [2001:db8:ffff::2]:53.
    private static let ipv6: [UInt8] =
        [0x20, 0x01, 0x0d, 0xb8] + zeros(11) + [1] + [0x20, 0x01, 0x0d, 0xb8, 0xff, 0xff] + zeros(9) + [2]
        + [0xff, 0xff, 0, 53]
    private static func zeros(_ count: Int) -> [UInt8] { Array(repeating: 0, count: count) }
    private static func tlv(_ type: UInt8, _ value: [UInt8]) -> [UInt8] {
        [type, UInt8(value.count >> 8), UInt8(value.count & 255)] + value
    }

    private static let overIPv4 = Outcome.client("192.0.2.1:56324", at: "198.51.100.2:443")
    private static let overIPv6 = Outcome.client("[2001:db8::1]:65535", at: "[2001:db8:ffff::2]:53")

    /// Every header that begins a TCP stream.
    package static let all = textual + binary

    /// The vectors of version 1.
    package static let textual: [HeaderVector] = [
        line("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443", overIPv4),
        line("PROXY TCP6 2001:db8::1 2001:db8:ffff::2 65535 53", overIPv6),
        line(
            "PROXY TCP6 2001:0DB8:0:0:0:0:0:1 2001:DB8:FFFF:0:0:0:0:2 65535 53", overIPv6,
            "upper case, nothing left out"),
        line(
            "PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.2 56324 443", overIPv4, "IPv4 in IPv6 is the IPv4 address"),
        line("PROXY TCP4 0.0.0.0 255.255.255.255 0 65535", .client("0.0.0.0:0", at: "255.255.255.255:65535")),
        line("PROXY UNKNOWN", .peer),
        line("PROXY UNKNOWN 192.0.2.1 198.51.100.2 56324 443", .peer),
        line("PROXY UNKNOWN \u{1}anything, even\r or\n alone", .peer, "UNKNOWN with anything up to the CRLF"),
        line(
            "PROXY UNKNOWN " + String(repeating: "x", count: 91), .peer, "exactly 107 bytes"),

        HeaderVector("PROX and then something else", Array("PROX 192.0.2.1\r\n".utf8), .refused("missing")),
        HeaderVector("only PROX", Array("PROX".utf8), .refused("truncated")),
        HeaderVector("no header", Array("GET / HTTP/1.1\r\n\r\n".utf8), .refused("missing")),
        HeaderVector("nothing at all", [], .refused("missing")),
        HeaderVector("lower case", Array("proxy TCP4 192.0.2.1 198.51.100.2 56324 443\r\n".utf8), .refused("missing")),
        line("PROXY", .refused("missing"), "the word alone"),
        line("PROXY ", .refused("unsupported_family"), "no family"),
        line("PROXY TCP4", .refused("malformed"), "no addresses"),
        line("PROXY TCP4 192.0.2.1", .refused("malformed"), "one address"),
        line("PROXY TCP4 192.0.2.1 198.51.100.2", .refused("malformed"), "no ports"),
        line("PROXY TCP4 192.0.2.1 198.51.100.2 56324", .refused("malformed"), "one port"),
        line("PROXY TCP4 192.0.2.1 198.51.100.2 56324 ", .refused("malformed"), "an empty port"),
        line("PROXY TCP5 192.0.2.1 198.51.100.2 56324 443", .refused("unsupported_family")),
        line("PROXY UDP4 192.0.2.1 198.51.100.2 56324 443", .refused("unsupported_family")),
        line("PROXY UNKNOWNX", .refused("unsupported_family")),
        line("PROXY TCP4 2001:db8::1 2001:db8::2 56324 443", .refused("malformed"), "TCP4 with IPv6 addresses"),
        line("PROXY TCP6 192.0.2.1 198.51.100.2 56324 443", .refused("malformed"), "TCP6 with IPv4 addresses"),
        line("PROXY TCP6 2001:db8::1 198.51.100.2 56324 443", .refused("malformed"), "a family each"),
        line("PROXY TCP4 192.0.2.1 198.51.100.2 +80 443", .refused("malformed"), "a port with a sign"),
        line("PROXY TCP4 192.0.2.1 198.51.100.2 080 443", .refused("malformed"), "a port with a leading zero"),
        line("PROXY TCP4 192.0.2.1 198.51.100.2 80 00", .refused("malformed"), "port 00"),
        line("PROXY TCP4 192.0.2.1 198.51.100.2 65536 443", .refused("malformed"), "port 65536"),
        line("PROXY TCP4 192.0.2.1 198.51.100.2 80 4294967739", .refused("malformed"), "a port beyond 32 bits"),
        line("PROXY TCP4 192.0.2.1 198.51.100.2 0x50 443", .refused("malformed"), "a hexadecimal port"),
        line("PROXY TCP6 fe80::1%eth0 2001:db8::2 56324 443", .refused("malformed"), "a zone in an address"),
        line("PROXY TCP4 192.0.02.1 198.51.100.2 56324 443", .refused("malformed"), "octet 02"),
        line("PROXY TCP4 192.0.2.01 198.51.100.2 56324 443", .refused("malformed"), "octet 01"),
        line("PROXY TCP4 192.0.2.256 198.51.100.2 56324 443", .refused("malformed"), "octet 256"),
        line("PROXY TCP4 192.0.513 198.51.100.2 56324 443", .refused("malformed"), "three octets"),
        line("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443 more", .refused("malformed"), "a trailing word"),
        line("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443 ", .refused("malformed"), "a trailing space"),
        line("PROXY TCP4  192.0.2.1 198.51.100.2 56324 443", .refused("malformed"), "two spaces"),
        line("PROXY  TCP4 192.0.2.1 198.51.100.2 56324 443", .refused("unsupported_family"), "two spaces at first"),
        line("PROXY TCP4\t192.0.2.1 198.51.100.2 56324 443", .refused("unsupported_family"), "a tab"),
        line("PROXY TCP4 192.0.2.1\0 198.51.100.2 56324 443", .refused("malformed"), "a NUL"),
        line("PROXY TCP6 2001:db8::1::2 2001:db8::2 56324 443", .refused("malformed"), "two gaps in an address"),
        line("PROXY TCP6 1:2:3:4:5:6:7:8:9 2001:db8::2 56324 443", .refused("malformed"), "nine groups"),
        line("PROXY TCP6 12345::1 2001:db8::2 56324 443", .refused("malformed"), "a group of five digits"),
        HeaderVector(
            "a line feed alone", Array("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\n".utf8), .refused("malformed")),
        HeaderVector(
            "a carriage return alone", Array("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\rGET".utf8),
            .refused("malformed")),
        HeaderVector(
            "a line without its end", Array("PROXY TCP4 192.0.2.1 198.51.100.2 56324 44".utf8), .refused("truncated")),
        HeaderVector(
            "108 bytes without CRLF", Array("PROXY UNKNOWN ".utf8) + Array(repeating: 0x78, count: 94),
            .refused("too_long")),
        line("PROXY UNKNOWN " + String(repeating: "x", count: 92), .refused("too_long"), "CRLF at byte 108"),
    ]

    /// The vectors of version 2.
    package static let binary: [HeaderVector] = [
        v2("IPv4, length 12", ipv4, overIPv4),
        v2("IPv6, length 36", 0x21, 0x21, ipv6, overIPv6),
        v2("UNIX, length 216", 0x21, 0x31, Array(repeating: 0x61, count: 216), .peer),
        v2(
            "IPv4 in IPv6", 0x21, 0x21,
            zeros(10) + [0xff, 0xff] + ipv4[..<4] + zeros(10) + [0xff, 0xff] + ipv4[4..<8] + ipv4[8...], overIPv4),
        v2("LOCAL, length 0", 0x20, 0x00, [], .peer),
        v2("LOCAL with addresses", 0x20, 0x11, ipv4, .peer),
        v2("LOCAL with TLVs", 0x20, 0x00, tlv(0x05, [1, 2, 3]) + tlv(0x04, []), .peer),
        v2("UNSPEC, length 0", 0x21, 0x00, [], .peer),
        v2("UNSPEC with bytes behind", 0x21, 0x00, [1, 2, 3, 4, 5], .peer),
        v2("datagram family on a stream", 0x21, 0x12, ipv4, .peer),
        v2("NOOP", ipv4 + tlv(0x04, [0, 0, 0]), overIPv4),
        v2("empty NOOP", ipv4 + tlv(0x04, []), overIPv4),
        v2("unknown TLV", ipv4 + tlv(0xee, Array("own".utf8)), overIPv4),
        v2(
            "authority, ALPN and unique id",
            ipv4 + tlv(2, Array("a.example".utf8)) + tlv(1, [0x68, 0x32])
                + tlv(5, [1, 2, 3, 4]), overIPv4),
        v2("IPv6 with TLVs", 0x21, 0x21, ipv6 + tlv(0x04, [7]), overIPv6),
        v2("CRC32C", ipv4 + tlv(0x03, [0x20, 0xec, 0x95, 0x49]), overIPv4),
        v2(
            "CRC32C between other TLVs",
            ipv4 + tlv(0x04, []) + tlv(0x03, [0x61, 0x15, 0x90, 0xe2]) + tlv(0x04, Array("xy".utf8)), overIPv4),
        v2("4,096 bytes in all", ipv4 + tlv(0x04, zeros(4_096 - 16 - 12 - 3)), overIPv4),

        v2("CRC32C of something else", ipv4 + tlv(0x03, [0x20, 0xec, 0x95, 0x48]), .refused("checksum")),
        v2("CRC32C of three bytes", ipv4 + tlv(0x03, [0x20, 0xec, 0x95]), .refused("malformed")),
        v2("TLV longer than the header", ipv4 + [0x04, 0, 4, 1, 2, 3], .refused("malformed")),
        v2("TLV without a length", ipv4 + [0x04, 0], .refused("malformed")),
        v2("version 1", 0x11, 0x11, ipv4, .refused("unsupported_version")),
        v2("version 3", 0x31, 0x11, ipv4, .refused("unsupported_version")),
        v2("command 2", 0x22, 0x11, ipv4, .refused("unsupported_command")),
        v2("family 4", 0x21, 0x41, ipv4, .refused("unsupported_family")),
        v2("transport 3", 0x21, 0x13, ipv4, .refused("unsupported_family")),
        v2("IPv4, length 11", Array(ipv4.dropLast()), .refused("malformed")),
        v2("IPv4, length 0", [], .refused("malformed")),
        v2("IPv6, length 35", 0x21, 0x21, Array(ipv6.dropLast()), .refused("malformed")),
        v2("UNIX, length 215", 0x21, 0x31, Array(repeating: 0x61, count: 215), .refused("malformed")),
        v2("4,097 bytes in all", ipv4 + tlv(0x04, zeros(4_097 - 16 - 12 - 3)), .refused("too_long")),
        HeaderVector("signature only", signature, .refused("truncated")),
        HeaderVector("without its last byte", Array(header(0x21, 0x11, ipv4).dropLast()), .refused("truncated")),
        HeaderVector("signature that goes wrong", signature.dropLast() + [0x0b], .refused("missing")),
    ]

    /// Headers of datagrams: version 2 with a datagram transport.
    package static let datagrams: [HeaderVector] = [
        v2("IPv4", 0x21, 0x12, ipv4, overIPv4),
        v2("IPv6", 0x21, 0x22, ipv6, overIPv6),
        v2("IPv6 with CRC32C", 0x21, 0x22, ipv6 + tlv(0x03, [0x7d, 0xbf, 0x99, 0xd2]), overIPv6),
        v2("LOCAL", 0x20, 0x00, [], .peer),
        v2("stream family on a datagram", 0x21, 0x11, ipv4, .peer),
        v2(
            "CRC32C of something else", 0x21, 0x22, ipv6 + tlv(0x03, [0x7d, 0xbf, 0x99, 0xd3]), .refused("checksum")),
        v2("version 3", 0x31, 0x12, ipv4, .refused("unsupported_version")),
        v2("length 11", 0x21, 0x12, Array(ipv4.dropLast()), .refused("malformed")),
        HeaderVector("cut off", Array(header(0x21, 0x12, ipv4).dropLast()), .refused("truncated")),
        HeaderVector("only the signature", signature, .refused("truncated")),
        HeaderVector("less than the signature", Array(signature.dropLast()), .refused("missing")),
        HeaderVector("empty", [], .refused("missing")),
        HeaderVector("no header", Array("ping".utf8), .refused("missing")),
        line("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443", .refused("unsupported_version"), "version 1"),
    ]
}
