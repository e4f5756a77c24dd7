import NetworkTypes
import Testing

@Suite struct ListenerKeyTests {
    private static func key(_ text: String) throws -> ListenerKey { ListenerKey(try ListenAddress(text)) }

    @Test func `networks that bind the same socket are one listener`() throws {
        #expect(try Self.key("tcp://127.0.0.1:80") == Self.key("tcp4://127.0.0.1:80"))
        #expect(try Self.key("tcp://:80") != Self.key("tcp6://:80"))
        #expect(try Self.key("udp4://:53").description == "udp://0.0.0.0:53")
    }

    @Test(arguments: [
        ("tcp://:80", "tcp://:80", true), ("tcp://:80", "tcp4://:80", true), ("tcp://:80", "tcp6://:80", true),
        ("tcp4://:80", "tcp6://:80", false), ("tcp4://:80", "tcp://192.0.2.9:80", true),
        ("tcp://:80", "tcp://192.0.2.9:80", true), ("tcp6://:80", "tcp://192.0.2.9:80", false),
        ("tcp6://:80", "tcp://[::1]:80", true), ("tcp://127.0.0.1:80", "tcp://127.0.0.2:80", false),
        ("tcp://:80", "udp://:80", false), ("tcp://:80", "tcp://:81", false),
        ("tcp://[fe80::1%a]:80", "tcp://[fe80::1%b]:80", false), ("tcp://[fe80::1%a]:80", "tcp://[fe80::1%a]:80", true),
    ])
    func `listeners overlap where both cannot be bound`(one: String, other: String, overlap: Bool) throws {
        #expect(try Self.key(one).overlaps(Self.key(other)) == overlap)
        #expect(try Self.key(other).overlaps(Self.key(one)) == overlap)
    }

    @Test(arguments: [
        ("tcp://192.0.2.9:80", "192.0.2.9", false, true), ("tcp://192.0.2.9:80", "192.0.2.8", true, false),
        ("tcp4://:80", "127.0.0.1", true, true), ("tcp4://:80", "192.0.2.9", false, false),
        ("tcp4://:80", "::1", true, false), ("tcp://:80", "127.0.0.1", true, true), ("tcp://:80", "::1", true, true),
        ("tcp6://:80", "127.0.0.1", true, false), ("tcp://[fe80::1%a]:80", "fe80::1%b", true, false),
    ])
    func `a dial arrives at the address itself, or at a wildcard of its family`(
        listener: String, dialed: String, isLocal: Bool, arrives: Bool
    ) throws {
        let address = try #require(ScopedAddress(dialed))
        #expect(try Self.key(listener).takes(address, isLocal: isLocal) == arrives)
    }

    @Test func `a dialed wildcard is the loopback of its family`() {
        #expect(IPAddress.anyIPv4.dialed == .loopbackIPv4)
        #expect(IPAddress.anyIPv6.dialed == .loopbackIPv6)
        #expect(IPAddress.loopbackIPv6.dialed == .loopbackIPv6)
    }
}
