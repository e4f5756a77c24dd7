import LinuxIO
import NetworkTypes
import Testing

import struct TestSupport.SeededGenerator
import func TestSupport.fuzzRounds

@Suite struct SocketAddressTests {
    @Test(arguments: [
        ("192.0.2.1:80", "192.0.2.1:80"), ("0.0.0.0:0", "0.0.0.0:0"), ("[2001:db8::1]:65535", "[2001:db8::1]:65535"),
        ("[::ffff:192.0.2.1]:1", "192.0.2.1:1"), ("[fe80::1%7]:22", "[fe80::1%7]:22"),
        ("[192.0.2.1]:80", "192.0.2.1:80"),
    ])
    func `an address with a port is read and printed`(text: String, printed: String) throws {
        #expect(try #require(SocketAddress(text)).description == printed)
    }

    @Test(arguments: [
        "", ":80", "192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:-1", "192.0.2.1:+1", "192.0.2.1:1a",
        "::1:80", "[::1]", "[::1:80", "::1]:80", "[]:80", "[::1%]:80", "[::1%no-such-link]:80", "[fe80::1%0]:80",
        "192.0.2.1%1:80", "[fe80::1%+1]:80", "[fe80::1%1%2]:80", "[fe80::1%4294967296]:80", "localhost:80",
        "192.0.2.1: 80", "192.0.2.1:٨",
    ])
    func `what is no address with a port is refused`(text: String) {
        #expect(SocketAddress(text) == nil)
    }

    @Test func `a scope may be an interface's name`() throws {
        let address = try #require(SocketAddress("[fe80::1%lo]:5"))
        #expect(address.scope > 0)
        #expect(SocketAddress(address.description) == address)
    }

    @Test func `random text never traps, and what is taken prints as itself`() {
        var random = SeededGenerator(seed: 7)
        let alphabet = Array("0123456789abcdefF:.%[]/ g\0é")
        var accepted = 0
        var unstable = 0
        for _ in 0..<fuzzRounds(20_000) {
            var text = Array("[fe80::192.0.2.1%7]:22")
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let letter = alphabet.randomElement(using: &random) ?? ":"
                if Bool.random(using: &random) {
                    text.insert(letter, at: Int.random(in: 0...text.count, using: &random))
                } else {
                    text.remove(at: Int.random(in: 0..<text.count, using: &random))
                }
            }
            guard let address = SocketAddress(String(text)) else { continue }
            accepted += 1
            if SocketAddress(address.description) != address { unstable += 1 }
        }
        #expect(unstable == 0)
        #expect(accepted > 0)
    }

    @Test func `port and scope make a difference`() {
        let ip = IPAddress(high: 0xfe80 << 48, low: 1)
        #expect(SocketAddress(ip, port: 1) != SocketAddress(ip, port: 2))
        #expect(SocketAddress(ip, port: 1, scope: 1) != SocketAddress(ip, port: 1, scope: 2))
        #expect(Set([SocketAddress(ip, port: 1), SocketAddress(ip, port: 1)]).count == 1)
    }
}
