import LinuxIO
import NetworkTypes
import Testing

@testable import WeirStream

@Suite struct OwnListenersTests {
    private static func address(_ text: String) throws -> SocketAddress { try #require(SocketAddress(text)) }

    @Test func `an exact address is ours, another port or transport is not`() throws {
        var own = OwnListeners()
        own.insert(.tcp, try Self.address("192.0.2.1:80"))
        #expect(own.wouldLoop(.tcp, try Self.address("192.0.2.1:80")))
        #expect(!own.wouldLoop(.tcp, try Self.address("192.0.2.1:81")))
        #expect(!own.wouldLoop(.udp, try Self.address("192.0.2.1:80")))
        #expect(!own.wouldLoop(.tcp, try Self.address("192.0.2.2:80")))
        #expect(!own.wouldLoop(.tcp, try Self.address("127.0.0.1:80")))
    }

    @Test func `a wildcard is reached by loopback and by every interface`() throws {
        var own = OwnListeners()
        own.interfaceAddresses = [try #require(IPAddress("198.51.100.4"))]
        own.insert(.udp, try Self.address("0.0.0.0:53"))
        for text in ["127.0.0.1:53", "127.8.8.8:53", "0.0.0.0:53", "198.51.100.4:53"] {
            #expect(own.wouldLoop(.udp, try Self.address(text)), "\(text)")
        }
        for text in ["198.51.100.5:53", "[::1]:53", "127.0.0.1:54"] {
            #expect(!own.wouldLoop(.udp, try Self.address(text)), "\(text)")
        }
    }

    @Test func `an address that a translator takes is the IPv4 address inside`() throws {
        var own = OwnListeners()
        own.interfaceAddresses = [IPAddress(v4: 0xC000_0207)]
        own.insert(.tcp, try Self.address("0.0.0.0:8890"))
        own.insert(.tcp, try Self.address("192.0.2.7:9847"))
        for (text, isOwn) in [
            ("[64:ff9b::c000:207]:8890", true), ("[64:ff9b::c000:207]:9847", true), ("[64:ff9b::c000:208]:8890", false),
            ("[64:ff9b::c000:207]:22", false), ("[64:ff9b:1::c000:207]:8890", false),
            ("[64:ff9b::7f00:1]:8890", true),
        ] {
            #expect(own.wouldLoop(.tcp, try Self.address(text)) == isOwn, "\(text)")
        }
    }

    @Test func `a dial goes back to its peer at the same address, or at any two of this machine`() throws {
        var own = OwnListeners()
        own.interfaceAddresses = [try #require(IPAddress("198.51.100.4")), try #require(IPAddress("2001:db8::4"))]
        for (address, peer, goesBack) in [
            ("192.0.2.1", "192.0.2.1", true), ("192.0.2.1", "192.0.2.2", false), ("127.0.0.2", "127.0.0.1", true),
            ("198.51.100.4", "127.0.0.1", true), ("127.0.0.1", "198.51.100.4", true), ("::1", "2001:db8::4", true),
            ("0.0.0.0", "127.0.0.1", true), ("192.0.2.1", "127.0.0.1", false), ("127.0.0.1", "192.0.2.1", false),
        ] {
            let found = own.goesBack(try #require(IPAddress(address)), to: try #require(IPAddress(peer)))
            #expect(found == goesBack, "\(address) of \(peer)")
        }
    }

    @Test func `an address that is known to be local reaches a wildcard although no interface is known to have it`()
        throws
    {
        var own = OwnListeners()
        own.insert(.udp, try Self.address("0.0.0.0:53"))
        let address = try Self.address("198.51.100.5:53")
        #expect(!own.wouldLoop(.udp, address))
        #expect(own.wouldLoop(.udp, address, isLocal: true))
    }

    @Test func `a dual-stack wildcard is reached over both families`() throws {
        var own = OwnListeners()
        own.insert(.tcp, try Self.address("[::]:22"))
        for text in ["127.0.0.1:22", "[::1]:22", "[::]:22", "0.0.0.0:22", "[::ffff:127.0.0.1]:22"] {
            #expect(own.wouldLoop(.tcp, try Self.address(text)), "\(text)")
        }
    }

    @Test func `an address that two streams had is ours until both are gone`() throws {
        let address = try Self.address("127.0.0.1:80")
        var own = OwnListeners()
        own.remove(.tcp, address)
        own.insert(.tcp, address)
        own.insert(.tcp, address)
        own.remove(.tcp, address)
        #expect(own.wouldLoop(.tcp, address))
        own.remove(.tcp, address)
        #expect(!own.wouldLoop(.tcp, address))
    }
}
