import NetworkTypes
import Testing

import struct TestSupport.SeededGenerator
import func TestSupport.fuzzRounds

@Suite struct ScopedAddressTests {
    @Test(arguments: [
        ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"), ("::", "::"), ("::1", "::1"), ("1::", "1::"),
        ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"), ("::ffff:192.0.2.1", "192.0.2.1"), ("::ffff:c000:201", "192.0.2.1"),
        ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"), ("fe80::1%eth0", "fe80::1%eth0"), ("fe80::1%2", "fe80::1%2"),
        ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"), ("1:0:0:2:0:0:0:3", "1:0:0:2::3"),
        ("0:0:0:0:0:0:0:0", "::"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
    ])
    func `an address is read and printed in its canonical form`(text: String, printed: String) throws {
        let address = try #require(ScopedAddress(text))
        #expect(address.description == printed)
        #expect(ScopedAddress(printed) == address)
    }

    @Test(arguments: [
        "", ".", ":", ":::", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.04", "1..2.3", "1.2.3.4 ",
        "+1.2.3.4", "0x1.2.3.4", "1.2.3.4%eth0", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::",
        "::1:2:3:4:5:6:7:8", "12345::", "g::", ":1", "1:", ":1::", "::1:", "1.2.3.4::", "::1.2.3.4:5",
        "1:2:3:4:5:6:7:1.2.3.4", "fe80::1%", "fe80::1%et/h", "fe80::1%interface-too-long", "fe80::1%a%b", "localhost",
        "[::1]", "::ffff:1.2.3.04", "1:2:3:4:5:6:7:8%", "::\u{661}", "%a:b", "1%fe80::1",
    ])
    func `what is no address is refused`(text: String) {
        #expect(ScopedAddress(text) == nil)
    }

    @Test func `an interface makes a difference, and stands within the brackets`() throws {
        let address = try #require(ScopedAddress("fe80::1%eth0"))
        #expect(address.interface == "eth0")
        #expect(address.bracketed == "[fe80::1%eth0]")
        #expect(address != ScopedAddress("fe80::1%eth1"))
        #expect(address != ScopedAddress("fe80::1"))
        #expect(ScopedAddress("192.0.2.1")?.bracketed == "192.0.2.1")
    }

    @Test func `random text never traps, and what is taken prints as itself`() {
        var random = SeededGenerator(seed: 8)
        let alphabet = Array("0123456789abcdefF:.%[]/ g\0é")
        var accepted = 0
        var unstable = 0
        for _ in 0..<fuzzRounds(20_000) {
            var text = Array("fe80::192.0.2.1%7")
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let letter = alphabet.randomElement(using: &random) ?? ":"
                if Bool.random(using: &random) {
                    text.insert(letter, at: Int.random(in: 0...text.count, using: &random))
                } else {
                    text.remove(at: Int.random(in: 0..<text.count, using: &random))
                }
            }
            _ = HostAndPort(String(text))
            _ = try? Upstream(String(text))
            _ = try? ListenAddress("tcp://" + String(text))
            guard let address = ScopedAddress(String(text)) else { continue }
            accepted += 1
            if ScopedAddress(address.description) != address { unstable += 1 }
        }
        #expect(unstable == 0)
        #expect(accepted > 0)
    }
}
