import TestSupport
import Testing

@testable import WeirConfiguration

@Suite("Addresses") struct IPLiteralTests {
    @Test(
        "Addresses are read and printed in canonical form",
        arguments: [
            ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"), ("::", "::"), ("::1", "::1"),
            ("1::", "1::"),
            ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
            ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"), ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
            ("::ffff:c000:201", "::ffff:192.0.2.1"),
            ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"), ("fe80::1%eth0", "fe80::1%eth0"), ("fe80::1%2", "fe80::1%2"),
            ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"), ("1:0:0:2:0:0:0:3", "1:0:0:2::3"),
            ("0:0:0:0:0:0:0:0", "::"),
            ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
        ])
    func readsAddress(text: String, canonical: String) {
        #expect(IPLiteral(text)?.description == canonical)
    }

    @Test(
        "What is no address is refused",
        arguments: [
            "", ".", ":", ":::", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.04", "1..2.3", "1.2.3.4 ",
            "+1.2.3.4",
            "0x1.2.3.4", "1.2.3.4%eth0", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::",
            "::1:2:3:4:5:6:7:8", "12345::", "g::", ":1", "1:", ":1::", "::1:", "1.2.3.4::", "::1.2.3.4:5",
            "1:2:3:4:5:6:7:1.2.3.4",
            "fe80::1%", "fe80::1%et/h", "fe80::1%interface-too-long", "fe80::1%a%b", "localhost", "[::1]",
            "::ffff:1.2.3.04", "1:2:3:4:5:6:7:8%", "::\u{661}",
        ])
    func refusesAddress(text: String) {
        #expect(IPLiteral(text) == nil)
    }

    @Test("Every canonical text reads back as the same address")
    func roundTrips() {
        var generator = SeededGenerator(seed: 11)
        for _ in 0..<5_000 {
            let bytes = (0..<16).map { _ in
                Bool.random(using: &generator) ? UInt8(0) : UInt8.random(in: 0...255, using: &generator)
            }
            let address = IPLiteral.ipv6(bytes)
            #expect(IPLiteral(address.description) == address)
        }
    }

    @Test("Loopback, mapped and link-local addresses are known")
    func classifies() {
        #expect(IPLiteral("127.66.0.1")?.isLoopback == true)
        #expect(IPLiteral("::ffff:127.0.0.1")?.isLoopback == true)
        #expect(IPLiteral("::1")?.isLoopback == true)
        #expect(IPLiteral("128.0.0.1")?.isLoopback == false)
        #expect(IPLiteral("::ffff:1.2.3.4")?.unmapped == .ipv4(1, 2, 3, 4))
        #expect(IPLiteral("febf::1")?.isLinkLocalIPv6 == true)
        #expect(IPLiteral("fec0::1")?.isLinkLocalIPv6 == false)
    }

    @Test(
        "Hosts are names or addresses, with or without brackets",
        arguments: [
            ("localhost", "localhost"), ("db-1.internal.", "db-1.internal."), ("my_container", "my_container"),
            ("192.0.2.7", "192.0.2.7"), ("::1", "[::1]"), ("[2001:DB8::1]", "[2001:db8::1]"),
            ("1password.example", "1password.example"),
            ("fe80::1%eth0", "[fe80::1%eth0]"),
        ])
    func readsHost(text: String, bracketed: String) throws {
        #expect(try UpstreamHost(parsing: text).bracketed == bracketed)
    }

    @Test(
        "What is no host is refused",
        arguments: [
            "", "[", "[]", "[::1", "[127.0.0.1]", "a b", "a..b", ".a", "-a", "a-", "tcp://a", "a:80", "1.2.3", "127.1",
            "a/b", "ü",
            "fe80::1", "::1%eth0", String(repeating: "a", count: 64), String(repeating: "a.", count: 127),
        ])
    func refusesHost(text: String) {
        #expect(refusal { () throws(ValueError) in try UpstreamHost(parsing: text) } != nil)
    }

    @Test("Listen addresses need an address and a port", arguments: ["[::1]:9847", "127.0.0.1:1", "0.0.0.0:65535"])
    func readsListenAddress(text: String) throws {
        #expect(try ListenAddress(parsing: text).description == text)
    }

    @Test(
        "What is no listen address is refused",
        arguments: [
            "", "9847", ":9847", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "::1:9847", "[127.0.0.1]:80",
            "localhost:9847", "a:80",
            "[::1]", "[::1]9847", "127.0.0.1:080",
        ])
    func refusesListenAddress(text: String) {
        #expect(refusal { () throws(ValueError) in try ListenAddress(parsing: text) } != nil)
    }
}
