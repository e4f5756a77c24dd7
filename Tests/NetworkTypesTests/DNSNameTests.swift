import Testing

@testable import NetworkTypes

@Suite struct DNSNameTests {
    @Test func `a text becomes labels, and comes back in lower case without the last dot`() throws {
        let name = try #require(DNSName("_Sip._udp.Example.net."))
        #expect(name.bytes == Array("\u{4}_Sip\u{4}_udp\u{7}Example\u{3}net\0".utf8))
        #expect(name.text == "_sip._udp.example.net")
        #expect(DNSName(".")?.bytes == [0])
        #expect(DNSName(".")?.isRoot == true && DNSName(".")?.text == nil)
    }

    @Test func `names that differ in case only are equal`() throws {
        let names = [DNSName("a.EXAMPLE"), DNSName("A.example"), DNSName("a.example.")].compactMap { $0 }
        #expect(names.count == 3 && Set(names).count == 1)
        #expect(DNSName("b.example") != names[0])
    }

    @Test(arguments: ["", "..", ".a", "a..b", "a b", "a\\b", "ä.net", "a\0b", String(repeating: "a", count: 64)])
    func `other texts are no names`(text: String) {
        #expect(DNSName(text) == nil)
    }

    @Test func `pointers are followed backwards only`() {
        // 0: "net", 5: "example" and a pointer to 0, 15: a pointer to 5, 17: one to itself, 19: one to what follows.
        let labels = Array("\u{3}net\0\u{7}example".utf8)
        let message: [UInt8] = labels + [0xc0, 0, 0xc0, 5, 0xc0, 17, 0xc0, 21, 0]
        func read(_ offset: Int) -> String? { DNSName(in: message[...], at: offset)?.text }
        #expect(read(0) == "net" && read(5) == "example.net" && read(15) == "example.net")
        #expect(read(17) == nil && read(19) == nil)
        // A slice that begins elsewhere has the same offsets.
        #expect(DNSName(in: ([9, 9] + message).dropFirst(2), at: 15)?.text == "example.net")
    }

    @Test func `two pointers at each other, and a label that is longer with each round, end`() {
        #expect(DNSName(in: [0xc0, 2, 0xc0, 0], at: 0) == nil)
        #expect(DNSName(in: [0xc0, 2, 0xc0, 0], at: 2) == nil)
        #expect(DNSName(in: [1, 97, 0xc0, 0], at: 0) == nil)
        #expect(DNSName(in: [1, 97, 0xc0, 0], at: 2) == nil)
    }

    @Test func `a long chain of pointers is refused, and a shorter one is not`() {
        func chain(_ count: Int) -> [UInt8] {
            var bytes: [UInt8] = [0, 0]
            for target in 0..<count { bytes += [0xc0 | UInt8(target / 128), UInt8(target % 128 * 2)] }
            return bytes
        }
        #expect(DNSName(in: chain(127)[...], at: 127 * 2)?.isRoot == true)
        #expect(DNSName(in: chain(128)[...], at: 128 * 2) == nil)
    }

    @Test func `a name has 255 bytes at most, also by pointers`() {
        let label: [UInt8] = [63] + .init(repeating: 97, count: 63)
        let last: [UInt8] = [61] + .init(repeating: 97, count: 61) + [0]
        let longest: [UInt8] = label + label + label + last
        #expect(DNSName(in: longest[...], at: 0)?.bytes.count == 255)
        let tooLong = longest + [1, 98, 0xc0, 0]
        #expect(DNSName(in: tooLong[...], at: 255) == nil)
    }

    @Test func `what leaves the message is no name, whichever byte is the last`() {
        let message: [UInt8] = Array("\u{3}net\0".utf8) + [1, 97, 0xc0, 0]
        for count in 0..<5 { #expect(DNSName(in: message[..<count], at: 0) == nil) }
        for count in 5..<9 { #expect(DNSName(in: message[..<count], at: 5) == nil) }
        #expect(DNSName(in: message[...], at: 5)?.text == "a.net")
        #expect(DNSName(in: message[...], at: 9) == nil && DNSName.end(in: message[...], at: 9) == nil)
        for kind in [0x40, 0x80] as [UInt8] { #expect(DNSName(in: [kind, 0], at: 0) == nil) }
    }

    @Test func `a label with bytes that no text has is a name without a text`() {
        for byte in [0, 32, 46, 92, 127, 200] as [UInt8] {
            let name = DNSName(in: [1, byte, 0], at: 0)
            #expect(name != nil && name?.text == nil)
        }
    }
}
