import NetworkTypes
import TestSupport
import Testing

@testable import WeirConfiguration

@Suite("Members that names of upstreams have") struct NameMemberTests {
    private func onlyRoute(_ lines: String..., scheme: String = "tcp") throws -> RouteConfiguration {
        try #require(try load(route(lines.joined(separator: "\n"), scheme: scheme)).routes.first)
    }

    @Test("A name is one upstream unless the file wants all its members")
    func resolve() throws {
        let plain = try onlyRoute("host: db.example.net")
        #expect(plain.names == NameSettings() && !plain.hasSet && !plain.upstreams[0].hasMembers(plain.names))
        let all = try onlyRoute("upstreams: [db.example.net., 192.0.2.1]", "resolve: { members: all, refresh: 2s }")
        #expect(all.names.members == .all && all.names.refresh == .seconds(2) && all.hasSet)
        #expect(all.upstreams.map { $0.hasMembers(all.names) } == [true, false])
        #expect(try onlyRoute("host: db", "resolve: { members: all }").names.refresh == .seconds(5))
        // In `defaults` it is for the routes that have names.
        let routes = try load("defaults: { resolve: { members: all } }\n" + route("host: 192.0.2.1")).routes
        #expect(routes.map(\.hasSet) == [false])
    }

    @Test("A service is an upstream whose records name its members")
    func service() throws {
        let radius = try onlyRoute("upstreams: { srv: _radius._udp.example.net }", scheme: "udp")
        #expect(radius.upstreams.map(\.isService) == [true] && radius.hasSet)
        #expect(radius.upstreamTexts == ["_radius._udp.example.net"])
        let several = try onlyRoute(
            "upstreams: [{ srv: _ldap._tcp.example.net, name: ldap, max_connections: 9, drain: true }, spare]")
        let ldap = several.upstreams[0]
        #expect(several.upstreamTexts == ["ldap", "spare:80"])
        #expect(ldap.maxConnections == 9 && ldap.isDraining && ldap.hasMembers(several.names))
        // It is told as it can be written.
        let text = try #require(Notation<[UpstreamConfiguration]>.upstreams.text(several.upstreams))
        #expect(try onlyRoute("upstreams: \(text)").upstreams == several.upstreams)
    }

    @Test(
        "Every mistake is told with its location",
        arguments: [
            (
                "upstreams: { srv: \"_ldap._tcp.example.net:389\" }",
                "5:23: error: `srv`: found a port in `_ldap._tcp.example.net:389`: the records of a service name the "
                    + "ports; did you mean `_ldap._tcp.example.net`?"
            ),
            (
                "upstreams: [{ srv: _ldap._tcp.example.net, port: 389 }]",
                "5:48: error: `upstreams`: `port` stands beside `srv`: the records of a service name its hosts, ports, "
                    + "shares and backups, which are dialed from here"
            ),
            (
                "upstreams: { srv: ldap.example.net }",
                "5:23: error: `srv`: expected the name of a service such as `_ldap._tcp.example.net`, found "
                    + "`ldap.example.net`"
            ),
            (
                "upstreams: { srv: 192.0.2.1 }",
                "5:23: error: `srv`: expected the name of a service such as `_ldap._tcp.example.net`, found `192.0.2.1`"
            ),
            (
                "upstreams: { srv: _radius._udp.example.net }",
                "5:16: error: `srv`: `_radius._udp.example.net` is no service of TCP, which the scheme `tcp` carries; "
                    + "expected `_tcp` as its second label"
            ),
            (
                "host: 192.0.2.1\nresolve: { members: all }",
                "6:5: error: `resolve`: expected a host name among the upstreams, found `192.0.2.1` only: an address "
                    + "has no other members"
            ),
            (
                "host: db\nresolve: { members: some }",
                "6:25: error: `members`: expected one of `one`, `all`, found `some`"
            ),
            (
                "host: db\nresolve: { members: all, refresh: 500ms }",
                "6:39: error: `refresh`: expected a duration from 1s to 30s, found `500ms`"
            ),
            (
                "host: db\nresolve: { members: all, refresh: 1m }",
                "6:39: error: `refresh`: expected a duration from 1s to 30s, found `1m`"
            ),
            ("host: db\nresolve: all", "6:14: error: `resolve`: expected a mapping, found `all`"),
        ])
    func mistakes(lines: String, error: String) {
        #expect(errors(route(lines)) == ["weir.yml:\(error)"])
    }
}
