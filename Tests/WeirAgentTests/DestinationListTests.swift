#if TLS
import NetworkTypes
import Testing

@testable import WeirAgent

@Suite("The destinations of an agent")
struct DestinationListTests {
    private static func entry(_ block: String, _ ports: ClosedRange<UInt16>, _ transport: Transport = .tcp) throws
        -> AllowedDestination
    {
        AllowedDestination(transport, try IPPrefix(parsing: block), ports: ports)
    }

    private static func address(_ ip: String, _ port: UInt16) throws -> SocketAddress {
        SocketAddress(try #require(IPAddress(ip)), port: port)
    }

    @Test("the first entry counts that has transport, address and port")
    func entries() throws {
        let list = DestinationList([
            try Self.entry("10.0.0.0/8", 53...53, .udp), try Self.entry("127.0.0.1", 22...22),
            try Self.entry("2001:db8::/32", 8000...8100), try Self.entry("10.0.0.0/8", 1...65535),
        ])
        #expect(list.index(allowing: try Self.address("127.0.0.1", 22), over: .tcp) == 1)
        #expect(list.index(allowing: try Self.address("127.0.0.1", 22), over: .udp) == nil)
        #expect(list.index(allowing: try Self.address("127.0.0.1", 23), over: .tcp) == nil)
        #expect(list.index(allowing: try Self.address("2001:db8::7", 8100), over: .tcp) == 2)
        #expect(list.index(allowing: try Self.address("10.1.2.3", 53), over: .udp) == 0)
        #expect(list.index(allowing: try Self.address("10.1.2.3", 53), over: .tcp) == 3)
        #expect(list.index(allowing: .unix, over: .tcp) == nil)
        #expect(DestinationList([]).index(allowing: try Self.address("10.1.2.3", 53), over: .tcp) == nil)
    }

    @Test("an address is judged by the one inside of it")
    func unfolded() throws {
        let list = DestinationList([try Self.entry("10.0.0.0/8", 1...65535), try Self.entry("::/0", 1...65535)])
        #expect(list.index(allowing: try Self.address("::ffff:10.0.0.1", 1), over: .tcp) == 0)
        #expect(list.index(allowing: try Self.address("64:ff9b::a00:1", 1), over: .tcp) == 0)
        #expect(list.index(allowing: try Self.address("64:ff9b::b00:1", 1), over: .tcp) == nil)
        #expect(list.index(allowing: try Self.address("64:ff9b:1::1", 1), over: .tcp) == 1)
    }

    @Test(
        "addresses that mean this machine or a cloud's metadata are never allowed by chance",
        arguments: [
            "0.0.0.0", "0.0.0.1", "::", "::ffff:0.0.0.0", "64:ff9b::", "64:ff9b::7f00:1", "169.254.169.254",
            "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "fe80::1", "fd00:ec2::254",
        ])
    func never(ip: String) throws {
        let list = DestinationList([
            try Self.entry("0.0.0.0/0", 1...65535), try Self.entry("::/0", 1...65535),
            try Self.entry("fd00::/8", 1...65535), try Self.entry("169.0.0.0/8", 1...65535),
        ])
        #expect(list.index(allowing: try Self.address(ip, 80), over: .tcp) == nil)
    }

    @Test("link-local addresses are allowed by entries for them")
    func linkLocal() throws {
        let list = DestinationList([
            try Self.entry("169.254.169.254", 80...80), try Self.entry("fe80::/10", 80...80),
            try Self.entry("fd00:ec2::254", 80...80),
        ])
        for (index, ip) in ["169.254.169.254", "fe80::1", "fd00:ec2::254"].enumerated() {
            #expect(list.index(allowing: try Self.address(ip, 80), over: .tcp) == index)
        }
        #expect(list.index(allowing: try Self.address("169.254.1.1", 80), over: .tcp) == nil)
    }

    @Test("of several addresses those are dialed that one entry allows")
    func choice() throws {
        let list = DestinationList([try Self.entry("127.0.0.1", 22...22), try Self.entry("::1", 22...22)])
        let addresses = try ["192.0.2.1", "::1", "127.0.0.1"].map { try Self.address($0, 22) }
        let chosen = try #require(list.choose(addresses, over: .tcp))
        #expect(chosen.index == 1)
        #expect(chosen.addresses == [addresses[1]])
        #expect(list.choose([addresses[0]], over: .tcp) == nil)
        #expect(list.choose([], over: .tcp) == nil)
    }

    @Test("entries are written as they are configured")
    func texts() throws {
        #expect("\(try Self.entry("127.0.0.1", 22...22))" == "tcp:127.0.0.1:22")
        #expect("\(try Self.entry("2001:db8::/32", 8000...8100))" == "tcp:[2001:db8::]/32:8000-8100")
        #expect("\(try Self.entry("::1", 53...53, .udp))" == "udp:[::1]:53")
    }
}

@Suite("The role of a certificate")
struct AgentRoleTests {
    @Test("roles are URIs, and a certificate without one is a client's")
    func roles() {
        #expect(AgentRole(uris: [String]()) == .client)
        #expect(AgentRole(uris: ["https://example.net", "urn:other:x"]) == .client)
        #expect(AgentRole(uris: ["urn:weir:agent:client"]) == .client)
        #expect(AgentRole(uris: ["urn:weir:agent:scraper"]) == .scraper)
        #expect(AgentRole(uris: ["urn:weir:agent:scraper", "urn:weir:agent:client"]) == [.client, .scraper])
        // A role of a later version gives no right of this one.
        #expect(AgentRole(uris: ["urn:weir:agent:reader"]) == [])
    }
}
#endif
