import NetworkTypes
import TestSupport
import Testing
import WeirBalance
import WeirConfiguration
import WeirStream

@testable import WeirProxy

/// The route that is served with the members that its names have.
struct KnownMembersTests {
    private static func address(_ text: String, _ port: UInt16) throws -> SocketAddress {
        SocketAddress(try #require(IPAddress(text)), port: port)
    }

    private static func route(_ upstreams: UpstreamConfiguration..., all: Bool = true) -> RouteConfiguration {
        var route = RouteConfiguration(name: "a", scheme: .tcp, listenPort: 1, upstreamPort: 80)
        route.upstreams = upstreams
        route.names.members = all ? .all : .one
        return route
    }

    @Test func `a name gives way to its members, which have its settings and its label`() throws {
        var name = UpstreamConfiguration(.name("db"))
        name.weight = 3
        name.maxConnections = 7
        let route = Self.route(name, UpstreamConfiguration(.address(.loopbackIPv4)))
        let served = route.served(with: [
            .addresses(of: "db", port: 80): ResolvedMembers([
                ResolvedMember(try Self.address("192.0.2.1", 80)),
                ResolvedMember(try Self.address("2001:db8::1", 80)),
            ])
        ])
        #expect(served.upstreamTexts == ["db:80/192.0.2.1:80", "db:80/[2001:db8::1]:80", "127.0.0.1:80"])
        #expect(served.upstreams.map { $0.label(targetPorts: "80") } == ["db:80", "db:80", "127.0.0.1:80"])
        #expect(served.upstreams.map(\.weight) == [3, 3, 1])
        #expect(served.upstreams.map(\.maxConnections) == [7, 7, nil])
        #expect(try served.targets.map(\.description) == ["192.0.2.1:80", "[2001:db8::1]:80", "127.0.0.1:80"])
        // One of the log and the state, and one of the metrics.
        let description = RouteDescription(served)
        #expect(description.upstreams.map(\.label) == ["db:80", "127.0.0.1:80"])
        #expect(description.upstreams.map(\.isName) == [true, false])
        #expect(description.members.map(\.upstream) == [0, 0, 1])
    }

    @Test func `a name without a known member stays, and one whose addresses are tried in turn always does`() throws {
        let known: KnownMembers = [
            .addresses(of: "db", port: 80): ResolvedMembers([ResolvedMember(try Self.address("192.0.2.1", 80))])
        ]
        #expect(Self.route(UpstreamConfiguration(.name("other"))).served(with: known).upstreamTexts == ["other:80"])
        let plain = Self.route(UpstreamConfiguration(.name("db")), all: false)
        #expect(plain.served(with: known) == plain)
    }

    @Test func `records of a service bring ports and shares, and those of later priorities are backups`() throws {
        var service = UpstreamConfiguration(.name("_ldap._tcp.example.net"))
        service.isService = true
        service.name = "ldap"
        func member(_ text: String, _ port: UInt16, _ priority: UInt16, _ weight: UInt16) throws -> ResolvedMember {
            ResolvedMember(try Self.address(text, port), priority: priority, weight: weight)
        }
        let served = Self.route(service).served(with: [
            .service("_ldap._tcp.example.net"): ResolvedMembers([
                try member("192.0.2.1", 389, 10, 0), try member("192.0.2.2", 390, 10, 65_535),
                try member("192.0.2.3", 391, 20, 100),
            ])
        ])
        #expect(served.upstreamTexts == ["ldap/192.0.2.1:389", "ldap/192.0.2.2:390", "ldap/192.0.2.3:391"])
        #expect(served.upstreams.map(\.isBackup) == [false, false, true])
        #expect(served.upstreams.map(\.weight) == [1, 256, 1])
        #expect(served.upstreams.allSatisfy { BalancedMember.weights.contains($0.weight) && !$0.isService })
    }

    @Test func `a set has at most so many members, however many its names have`() throws {
        let members = ResolvedMembers(
            try (0..<600).map { ResolvedMember(try Self.address("192.0.2.1", UInt16($0 + 1))) })
        let route = Self.route(UpstreamConfiguration(.name("a")), UpstreamConfiguration(.name("b")))
        let served = route.served(with: [
            .addresses(of: "a", port: 80): members, .addresses(of: "b", port: 80): members,
        ])
        #expect(served.upstreams.count == BalanceConfiguration.maxMembers)
    }
}
