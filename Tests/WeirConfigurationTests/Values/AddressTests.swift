import NetworkTypes
import Testing

@testable import WeirConfiguration

@Suite("Addresses") struct AddressTests {
    @Test(
        "An address is shown in the family that was written",
        arguments: [
            ("192.0.2.1", "192.0.2.1"), ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
            ("::ffff:c000:201", "::ffff:192.0.2.1"), ("fe80::1%eth0", "fe80::1%eth0"),
        ])
    func showsWrittenFamily(text: String, shown: String) throws {
        #expect(try WrittenAddress(parsing: Array(text.utf8)[...]).description == shown)
    }

    @Test(
        "What is no address is refused by what was meant",
        arguments: [
            ("1.2.3", "expected an IP address, found `1.2.3`"), ("", "expected an IP address, found empty text"),
            ("1.2.3.4%eth0", "expected an IP address, found `1.2.3.4%eth0`"),
            ("1::2::3", "expected an IPv6 address, found `1::2::3`"), (":%a", "expected an IPv6 address, found `:%a`"),
            ("fe80::1%", "expected an interface such as `%eth0` behind the address, found `fe80::1%`"),
            ("fe80::1%et/h", "expected an interface such as `%eth0` behind the address, found `fe80::1%et/h`"),
            (
                "fe80::1",
                "found the link-local address `fe80::1` without its interface, expected one such as `fe80::1%eth0`"
            ),
            (
                "::ffff:1.2.3.4%eth0",
                "found an interface in `::ffff:1.2.3.4%eth0`, which only link-local addresses (fe80::/10) have"
            ),
            ("::1%lo", "found an interface in `::1%lo`, which only link-local addresses (fe80::/10) have"),
        ])
    func refusesAddress(text: String, message: String) {
        let found = refusal { () throws(ValueError) in
            try WrittenAddress(parsing: Array(text.utf8)[...]).checked()
        }
        #expect(found == message)
    }

    @Test(
        "A block that is refused is shown as it was written, and so is the one that was meant",
        arguments: [
            ("a/8", "expected an IP address, found `a`", nil),
            ("fe80::1%e/64", "expected an address or a block without an interface, found `fe80::1%e/64`", nil),
            ("10.0.0.0/33", "expected a length from 0 to 32 behind the `/`, found `33`", nil),
            ("10.0.0.0/", "expected a length from 0 to 32 behind the `/`, found empty text", nil),
            ("10.0.0.0/08", "expected a length from 0 to 32 behind the `/`, found `10.0.0.0/08`", nil),
            ("::/1280", "expected a length from 0 to 128 behind the `/`, found `::/1280`", nil),
            ("::ffff:10.0.0.0/95", "expected a length from 96 to 128 behind the `/`, found `95`", nil),
            (
                "10.0.0.1/8", "found an address with bits behind the length in `10.0.0.1/8`", "10.0.0.0/8"
            ),
            (
                "::ffff:10.0.0.1/104", "found an address with bits behind the length in `::ffff:10.0.0.1/104`",
                "::ffff:10.0.0.0/104"
            ),
        ] as [(String, String, String?)])
    func refusesBlock(text: String, message: String, suggestion: String?) {
        #expect(throws: ValueError(message, suggestion: suggestion)) { try IPPrefix(configured: text) }
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
        #expect(try UpstreamHost(configured: text).bracketed == bracketed)
    }

    @Test(
        "What is no host is refused",
        arguments: [
            "", "[", "[]", "[::1", "[127.0.0.1]", "a b", "a..b", ".a", "-a", "a-", "tcp://a", "a:80", "1.2.3", "127.1",
            "a/b", "ü",
            "fe80::1", "::1%eth0", String(repeating: "a", count: 64), String(repeating: "a.", count: 127),
        ])
    func refusesHost(text: String) {
        #expect(refusal { () throws(ValueError) in try UpstreamHost(configured: text) } != nil)
    }

    @Test("Listen addresses need an address and a port", arguments: ["[::1]:9847", "127.0.0.1:1", "0.0.0.0:65535"])
    func readsListenAddress(text: String) throws {
        #expect(try ListenAddress(exporter: text).addressText == text)
    }

    @Test(
        "What is no listen address is refused",
        arguments: [
            "", "9847", ":9847", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "::1:9847", "[127.0.0.1]:80",
            "localhost:9847", "a:80",
            "[::1]", "[::1]9847", "127.0.0.1:080",
        ])
    func refusesListenAddress(text: String) {
        #expect(refusal { () throws(ValueError) in try ListenAddress(exporter: text) } != nil)
    }
}
