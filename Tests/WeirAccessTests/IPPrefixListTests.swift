import LinuxIO
import NetworkTypes
import Testing
import WeirAccess

struct IPPrefixListTests {
    private func list(_ texts: String...) throws -> IPPrefixList {
        IPPrefixList(try texts.map { try IPPrefix(parsing: $0) })
    }

    private func contains(_ list: IPPrefixList, _ text: String) throws -> Bool {
        list.contains(try #require(IPAddress(text)))
    }

    @Test("A list holds what its blocks hold, and nothing beside them")
    func edges() throws {
        let list = try list("192.0.2.0/24", "10.0.0.0/8", "2001:db8::/32", "198.51.100.7", "fe80::/10")
        for inside in [
            "10.0.0.0", "10.255.255.255", "192.0.2.0", "192.0.2.255", "198.51.100.7", "2001:db8::", "fe80::1",
            "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "::ffff:10.1.2.3",
        ] { #expect(try contains(list, inside), "\(inside)") }
        for outside in [
            "9.255.255.255", "11.0.0.0", "192.0.1.255", "192.0.3.0", "198.51.100.6", "198.51.100.8", "2001:db7::",
            "2001:db9::", "::", "ffff::", "0.0.0.0", "255.255.255.255",
        ] { #expect(try !contains(list, outside), "\(outside)") }
    }

    @Test("Blocks within others, and doubles, change nothing")
    func nested() throws {
        let list = try list("10.1.0.0/16", "10.0.0.0/8", "10.0.0.0/8", "10.1.2.3", "10.0.0.0/9", "11.0.0.0/8")
        for inside in ["10.0.0.0", "10.1.2.3", "10.1.2.4", "10.200.0.0", "11.0.0.0"] {
            #expect(try contains(list, inside), "\(inside)")
        }
        #expect(try !contains(list, "12.0.0.0"))
    }

    @Test("Every address of one family is no address of the other")
    func families() throws {
        let list = try list("::/0", "2001:db8::/32", "10.0.0.0/8")
        for inside in ["::", "::1", "3000::", "2001:db8::1", "10.0.0.1"] { #expect(try contains(list, inside)) }
        for outside in ["9.0.0.1", "::ffff:11.0.0.1"] { #expect(try !contains(list, outside)) }
        #expect(try !contains(self.list(), "::1"))
        #expect(try contains(self.list("0.0.0.0/0"), "255.255.255.255"))
    }

    @Test("It agrees with looking at each block, for many random ones")
    func agrees() throws {
        var state: UInt64 = 7
        func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> 33
        }
        for _ in 0..<50 {
            // Few bits differ, so that blocks overlap and addresses hit them.
            let blocks = (0..<next() % 40).compactMap { _ -> IPPrefix? in
                next() % 2 == 0
                    ? IPPrefix(around: IPAddress(v4: UInt32(next() % 4096) << 20), length: Int(next() % 13))
                    : IPPrefix(around: IPAddress(high: (next() % 64) << 58, low: 0), length: Int(next() % 8))
            }
            let list = IPPrefixList(blocks)
            for _ in 0..<200 {
                let address =
                    next() % 2 == 0
                    ? IPAddress(v4: UInt32(next() % 4096) << 20) : IPAddress(high: (next() % 64) << 58, low: 1)
                #expect(list.contains(address) == blocks.contains { $0.contains(address) }, "\(address) in \(blocks)")
            }
        }
    }
}
