import NetworkTypes
import Testing

struct IPPrefixTests {
    @Test(
        "A block that is written canonically reads and prints as itself",
        arguments: [
            "0.0.0.0/0", "10.0.0.0/8", "192.0.2.0/24", "192.0.2.7/32", "128.0.0.0/1", "::/0", "2001:db8::/32",
            "fe80::/10", "2001:db8::7/128", "2001:db8:0:8000::/49", "2001:db8:0:0:8000::/65",
        ])
    func canonicalText(_ text: String) throws {
        #expect(try IPPrefix(parsing: text).description == text)
    }

    @Test("An address alone is the block that holds only it")
    func singleAddress() throws {
        #expect(try IPPrefix(parsing: "192.0.2.7") == IPPrefix(parsing: "192.0.2.7/32"))
        #expect(try IPPrefix(parsing: "2001:db8::7").length == 128)
    }

    @Test("The mapped form of an IPv4 block is that block")
    func mappedForm() throws {
        #expect(try IPPrefix(parsing: "::ffff:10.0.0.0/104") == IPPrefix(parsing: "10.0.0.0/8"))
        #expect(try IPPrefix(parsing: "::ffff:10.0.0.1") == IPPrefix(parsing: "10.0.0.1/32"))
        let block = try IPPrefix(parsing: "10.0.0.0/8")
        #expect(block.contains(try #require(IPAddress("::ffff:10.9.8.7"))))
    }

    @Test(
        "A block holds its first and last address and neither neighbor",
        arguments: [
            ("10.0.0.0/8", "10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"),
            ("192.0.2.128/25", "192.0.2.128", "192.0.2.255", "192.0.2.127", "192.0.3.0"),
            ("192.0.2.7/32", "192.0.2.7", "192.0.2.7", "192.0.2.6", "192.0.2.8"),
            ("2001:db8::/32", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db7::", "2001:db9::"),
            (
                "2001:db8::/65", "2001:db8::", "2001:db8::7fff:ffff:ffff:ffff", "2001:db7::",
                "2001:db8:0:0:8000::"
            ),
            ("2001:db8::/64", "2001:db8::", "2001:db8::ffff:ffff:ffff:ffff", "2001:db7::", "2001:db8:0:1::"),
        ])
    func edges(_ text: String, first: String, last: String, before: String, after: String) throws {
        let block = try IPPrefix(parsing: text)
        #expect(block.contains(try #require(IPAddress(first))))
        #expect(block.contains(try #require(IPAddress(last))))
        #expect(!block.contains(try #require(IPAddress(before))))
        #expect(!block.contains(try #require(IPAddress(after))))
    }

    @Test("Every address of one family lies in the block of length 0, and none of the other family")
    func everything() throws {
        let v4 = try IPPrefix(parsing: "0.0.0.0/0")
        let v6 = try IPPrefix(parsing: "::/0")
        #expect(v4.contains(try #require(IPAddress("203.0.113.9"))))
        #expect(!v4.contains(try #require(IPAddress("2001:db8::9"))))
        #expect(v6.contains(try #require(IPAddress("2001:db8::9"))))
        #expect(!v6.contains(try #require(IPAddress("203.0.113.9"))))
    }

    @Test(
        "A text that is no block says which part is wrong",
        arguments: [
            ("", IPPrefix.ParseError.malformedAddress("")), ("/8", .malformedAddress("")),
            ("10.0.0/8", .malformedAddress("10.0.0")), ("host/8", .malformedAddress("host")),
            ("10.0.0.0/", .malformedLength("", expected: 0...32)),
            ("10.0.0.0/33", .malformedLength("33", expected: 0...32)),
            ("10.0.0.0/08", .malformedLength("08", expected: 0...32)),
            ("10.0.0.0/+8", .malformedLength("+8", expected: 0...32)),
            ("10.0.0.0/-1", .malformedLength("-1", expected: 0...32)),
            ("::/129", .malformedLength("129", expected: 0...128)),
            ("::/1280", .malformedLength("1280", expected: 0...128)),
            ("10.0.0.0/8/8", .malformedLength("8/8", expected: 0...32)),
            ("::ffff:0.0.0.0/95", .malformedLength("95", expected: 96...128)),
        ])
    func malformed(_ text: String, expected: IPPrefix.ParseError) {
        #expect(throws: expected) { try IPPrefix(parsing: text) }
    }

    @Test("Bits behind the length are refused, with the block that was probably meant")
    func hostBits() throws {
        let meant = try IPPrefix(parsing: "10.0.0.0/8")
        #expect(throws: IPPrefix.ParseError.hostBitsSet(meant: meant)) { try IPPrefix(parsing: "10.0.0.1/8") }
    }

    @Test("A random address lies in the block around it at every length, and its neighbor block does not hold it")
    func randomAddresses() throws {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            let address = IPAddress(
                high: .random(in: 1...UInt64.max, using: &generator),
                low: .random(in: 0...UInt64.max, using: &generator))
            for length in 0...128 {
                let block = try #require(IPPrefix(around: address, length: length))
                #expect(block.contains(address))
                guard length > 0 else { continue }
                let flipped =
                    length <= 64
                    ? IPAddress(high: address.high ^ (1 << UInt64(64 - length)), low: address.low)
                    : IPAddress(high: address.high, low: address.low ^ (1 << UInt64(128 - length)))
                #expect(!block.contains(flipped))
            }
        }
    }
}
