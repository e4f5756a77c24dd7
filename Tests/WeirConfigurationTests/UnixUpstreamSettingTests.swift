import NetworkTypes
import Testing

@testable import WeirConfiguration

/// Upstreams that are Unix sockets.
struct UnixUpstreamSettingTests {
    private func upstreams(_ line: String) throws -> [UpstreamConfiguration] {
        try #require(try load(route(line)).routes.first).upstreams
    }

    @Test(arguments: [
        ("host: \"unix:/run/db.sock\"", ["unix:/run/db.sock"]), ("host: unix:/run/db.sock", ["unix:/run/db.sock"]),
        ("host: \"unix:@db\"", ["unix:@db"]),
        ("upstreams: [\"unix:/run/a\", \"unix:/run/A\", db-1]", ["unix:/run/a", "unix:/run/A", "db-1:80"]),
        (
            "upstreams: [{ host: \"unix:/run/a b:c\", weight: 2 }, { host: \"unix:@x\", backup: true }]",
            ["unix:/run/a b:c", "unix:@x"]
        ),
        ("upstreams: [{ host: \"unix:/run/a\", name: primary }, \"unix:/run/a\"]", ["primary", "unix:/run/a"]),
        ("host: unix:/run/postgresql/.s.PGSQL.5432", ["unix:/run/postgresql/.s.PGSQL.5432"]),
    ])
    func `a path or an abstract name stands in place of a host, and is the label`(line: String, labels: [String])
        throws
    {
        let loaded = try #require(try load(route(line)).routes.first)
        #expect(loaded.upstreamTexts == labels)
        let targets = try loaded.targets
        let unix = zip(loaded.upstreams, targets).filter { $0.0.host.unixPath != nil }
        #expect(!unix.isEmpty && unix.allSatisfy { $0.1.port == 0 && $0.1.transport == .tcp })
        // It is told as it can be written.
        let text = try #require(Notation<[UpstreamConfiguration]>.upstreams.text(loaded.upstreams))
        #expect(try load(route("upstreams: \(text)")).routes.map(\.upstreams) == [loaded.upstreams])
    }

    @Test(arguments: [
        ("host: \"unix:run/db.sock\"", "expected an absolute path such as `unix:/run/db.sock`, or an abstract name"),
        ("host: \"unix:\"", "expected an absolute path"), ("host: \"unix:/run/\"", "expected an absolute path"),
        ("host: \"unix:@\"", "expected an absolute path"),
        ("host: \"unix:///run/db.sock\"", "`unix:/run/db.sock`"), ("host: /run/db.sock", "needs `unix:` in front"),
        ("upstreams: [/run/db.sock]", "`unix:/run/db.sock`"),
        ("upstreams: [{ host: /run/db.sock }]", "`unix:/run/db.sock`"),
        ("upstreams: [{ host: \"unix:/run/db\", port: 5432 }]", "has a `port`, and a Unix socket has none"),
        ("upstreams: [\"unix:/run/a\", \"unix:/run/a\"]", "is named twice"),
        ("host: \"unix:/run/db\"\nhealth: { check: tcp, port: 81 }", "cannot be checked at the `port` of `health`"),
        ("upstreams: [{ srv: \"unix:/run/db\" }]", "expected the name of a service"),
    ])
    func `what is no Unix socket is refused`(lines: String, message: String) {
        let found = errors(route(lines))
        #expect(found.count == 1 && found.allSatisfy { $0.contains(message) }, "\(found)")
    }

    @Test func `a path has at most 107 bytes`() throws {
        let fits = "/" + String(repeating: "x", count: 106)
        #expect(try upstreams("host: \"unix:\(fits)\"").map(\.host.unixPath?.path) == [fits])
        let found = errors(route("host: \"unix:\(fits)y\""))
        #expect(found.count == 1 && found.allSatisfy { $0.contains("at most 107 bytes, found 108") }, "\(found)")
    }

    @Test func `it carries no datagrams`() {
        let found = errors(route("upstreams: [192.0.2.1, \"unix:/run/dns\"]", scheme: "udp4"))
        #expect(
            found == [
                "weir.yml:5:28: error: route `a`: the upstream `unix:/run/dns` is a Unix socket, which carries "
                    + "connections, and the scheme is `udp4`"
            ])
    }

    @Test func `the socket of the exporter is no upstream`() {
        let exporter = "exporter: { listen: [127.0.0.1:9847, \"unix:/run/weir/exporter.sock\"] }\n"
        let found = errors(exporter + route("host: \"unix:/run/weir/exporter.sock\""))
        #expect(found.count == 1 && found.allSatisfy { $0.contains("is the socket of the exporter") }, "\(found)")
        #expect(errors(exporter + route("host: \"unix:/run/weir/other.sock\"")) == [])
    }

    @Test func `it is read and printed as an upstream, and compared by its path`() throws {
        for text in ["unix:/run/db.sock", "unix:@db", "unix:/run/a:1"] {
            let upstream = try Upstream(text)
            #expect(upstream.description == text && upstream.host.description == text)
            #expect(try upstream == Upstream(UpstreamHost(text), port: 7))
        }
        #expect(try Upstream("unix:/run/a") != Upstream("unix:/run/A"))
        #expect(throws: EndpointError.self) { try Upstream("unix:") }
        #expect(throws: EndpointError.self) { try Upstream(UpstreamHost("unix:/run/a"), port: 1, transport: .udp) }
        #expect(SocketAddress.unix.description == "unix" && SocketAddress.unix.isUnix)
        #expect(!SocketAddress(.anyIPv6, port: 0).isUnix && !SocketAddress(.anyIPv6, port: 0, scope: 1).isUnix)
    }
}
