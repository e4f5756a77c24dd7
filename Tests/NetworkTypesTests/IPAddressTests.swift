import NetworkTypes
import Testing

import struct TestSupport.SeededGenerator
import func TestSupport.fuzzRounds

@Suite struct IPAddressTests {
    @Test(arguments: [
        // RFC 5952: lower case, no leading zeros, the longest run of zeros, the first of two, never a single group.
        ("::", "::"), ("::1", "::1"), ("1::", "1::"), ("2001:DB8::1", "2001:db8::1"),
        ("2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"),
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"), ("2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"), ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
        ("0:0:0:0:0:0:0:1", "::1"), ("1:0:0:0:0:0:0:0", "1::"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
        ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"), ("fe80::ABCD", "fe80::abcd"),
        ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"),
        ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"),
        // A mapped address is the IPv4 address inside.
        ("::ffff:192.0.2.1", "192.0.2.1"), ("::FFFF:c000:0201", "192.0.2.1"), ("0:0:0:0:0:ffff:c000:201", "192.0.2.1"),
        ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"), ("192.0.2.1", "192.0.2.1"),
        // Not mapped: the deprecated compatible form.
        ("::192.0.2.1", "::c000:201"),
    ])
    func `an address is read and printed in its one canonical form`(text: String, printed: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.description == printed)
        #expect(IPAddress(printed) == address)
    }

    @Test(arguments: [
        "", " ", ".", ":", ":::", "1", "1.2.3", "1.2.3.4.5", "1.2.3.", ".1.2.3", "1..2.3", "256.0.0.1", "1.2.3.256",
        "01.2.3.4", "1.2.3.04", "1.2.3.00", "0x1.2.3.4", "+1.2.3.4", "-1.2.3.4", "1.2.3.4 ", " 1.2.3.4", "1.2.3.4\0",
        "1.2.3.4/8", "1.2.3.4:80", "1234.1.1.1", "a.b.c.d", "localhost", "1::2::3", "::1::", "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", ":1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:", ":1::2",
        "1::2:", "12345::", "g::", "::g", "::1%eth0", "[::1]", "::-1", "::+1", "1:2:3:4:5:6:7:1.2.3.4",
        "::ffff:1.2.3", "::ffff:01.2.3.4", "::1.2.3.4:5", "1.2.3.4::", "::ffff:256.1.1.1", "１.2.3.4", "::é",
    ])
    func `what is no address is refused`(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test func `a mapped address and the IPv4 address inside are the same value`() throws {
        let plain = try #require(IPAddress("127.0.0.1"))
        let mapped = try #require(IPAddress("::ffff:7f00:1"))
        #expect(plain == mapped)
        #expect(plain.hashValue == mapped.hashValue)
        #expect(mapped.isIPv4)
        #expect(mapped.v4Bits == 0x7f00_0001)
        #expect(plain == .loopbackIPv4)
        #expect(IPAddress(v4: 0x7f00_0001) == plain)
    }

    @Test(arguments: [
        ("127.0.0.1", [true, false, false]), ("127.255.255.255", [true, false, false]),
        ("128.0.0.1", [false, false, false]), ("::1", [true, false, false]), ("::2", [false, false, false]),
        ("0.0.0.0", [false, true, false]), ("::", [false, true, false]), ("169.254.1.2", [false, false, true]),
        ("169.253.1.2", [false, false, false]), ("fe80::1", [false, false, true]), ("febf::1", [false, false, true]),
        ("fec0::1", [false, false, false]), ("::ffff:127.0.0.1", [true, false, false]),
    ])
    func `loopback, wildcard and link-local are told apart`(text: String, wanted: [Bool]) throws {
        let address = try #require(IPAddress(text))
        #expect([address.isLoopback, address.isWildcard, address.isLinkLocal] == wanted)
    }

    @Test func `every random address survives being printed and read`() {
        var random = SeededGenerator(seed: 5)
        var lost = 0
        for _ in 0..<fuzzRounds(5_000) {
            // Masks make runs of zeros common.
            let high = random.next() & random.next() & mask(&random)
            let low = random.next() & random.next() & mask(&random)
            let address = IPAddress(high: high, low: low)
            if IPAddress(address.description) != address { lost += 1 }
        }
        #expect(lost == 0)
    }

    private func mask(_ random: inout SeededGenerator) -> UInt64 {
        (0..<4).reduce(0) { mask, _ in mask << 16 | (Bool.random(using: &random) ? 0xffff : 0) }
    }

    @Test func `random text never traps, and what is taken prints as itself`() {
        var random = SeededGenerator(seed: 6)
        let alphabet = Array("0123456789abcdefF:.%[]/ g\0é")
        var accepted = 0
        var unstable = 0
        for round in 0..<fuzzRounds(30_000) {
            // Half of the texts are damaged addresses, so that they come close.
            var text = round % 2 == 0 ? Array("::ffff:192.0.2.1") : []
            for _ in 0..<Int.random(in: 1...12, using: &random) {
                let letter = alphabet.randomElement(using: &random) ?? ":"
                if text.isEmpty || Bool.random(using: &random) {
                    text.insert(letter, at: Int.random(in: 0...text.count, using: &random))
                } else {
                    text.remove(at: Int.random(in: 0..<text.count, using: &random))
                }
            }
            guard let address = IPAddress(String(text)) else { continue }
            accepted += 1
            if IPAddress(address.description) != address { unstable += 1 }
        }
        #expect(unstable == 0)
        #expect(accepted > 0)
    }
}
