import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("Access control")
    struct AccessControlTests {
        /// The part of the loopback network that these tests deny.
        private static let denied = "127.66.0.1"
        private static let denyLoopbackPart = "acl: { deny: [\"cidr:127.66.0.0/16\"] }"

        private static func ask(_ socket: UDPSocket, _ port: UInt16) throws -> [UInt8] {
            try socket.send([7], to: Endpoint(port))
            return try socket.receive().bytes
        }

        @Test("a denied TCP client is reset before any dial, others pass, and both are counted by rule")
        func tcp() throws {
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("web", port, to: server.port), rest: Self.denyLoopbackPart)
            // Every possible outcome has a series before the first client.
            let outcomes = Set(try weir.scrape().matching("weir_acl_decisions_total").map { $0.key.decision })
            #expect(outcomes == ["deny cidr global", "allow local global", "allow default global"])
            for _ in 0..<3 {
                let client = try TestConnection(to: Endpoint(port), from: Endpoint(Self.denied, 0))
                #expect(client.receive().ending == .reset)
            }
            #expect(server.accepted == 0)
            let client = try TestConnection(to: Endpoint(port))
            try client.send("hello")
            #expect(client.receive(5).text == "hello")
            client.close()
            let samples = try weir.scrapeWhenIdle("web")
            #expect(samples.accepted("web") == 4)
            #expect(samples.total("weir_tcp_connections_rejected_total", ["route": "web", "reason": "acl"]) == 3)
            #expect(samples.closed("web") == 1)
            #expect(samples.decisions("web", "deny", "cidr", "global") == 3)
            #expect(samples.decisions("web", "allow", "local", "global") == 1)
            #expect(samples.total("weir_acl_decisions_total") == 4)
            try weir.waitForLog("connection rejected", "client=\(Self.denied)", "reason=acl")
        }

        @Test("a denied UDP source gets no reply, is judged once, and its datagrams are drops; an allowed one passes")
        func udp() throws {
            let server = try UDPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route("dns", port, to: server.port, scheme: "udp4"), rest: Self.denyLoopbackPart)
            let denied = try UDPSocket(bindingTo: Endpoint(Self.denied, 0))
            for _ in 0..<20 { try denied.send([1], to: Endpoint(port)) }
            #expect(try Self.ask(UDPSocket(), port) == [7])
            let samples = try weir.scrape(until: "the drops are counted") {
                $0.total("weir_udp_drops_total", ["route": "dns", "reason": "acl"]) == 20
            }
            #expect(!denied.isReadable())
            #expect(server.received == 1)
            #expect(samples.sessionsOpened("dns") == 2)
            #expect(samples.sessionsRejected("dns", "acl") == 1)
            #expect(samples.sessionsActive("dns") == 1)
            #expect(samples.decisions("dns", "deny", "cidr", "global") == 1)
            #expect(samples.decisions("dns", "allow", "local", "global") == 1)
        }

        @Test("a reload ends sessions that its rules deny, keeps connections, and the counters agree all the time")
        func reload() throws {
            let (echo, datagrams) = (try TCPServer.echo(), try UDPServer.echo())
            let ports = (tcp: try Ports.free(), udp: try Ports.free())
            let routes: [String] = [
                .route("web", ports.tcp, to: echo.port),
                .route("dns", ports.udp, to: datagrams.port, scheme: "udp4"),
            ]
            let weir = try WeirProcess(routes: routes.joined(separator: "\n"))
            #expect(try weir.scrape().matching("weir_acl_decisions_total").isEmpty)
            let connection = try TestConnection(to: Endpoint(ports.tcp), from: Endpoint(Self.denied, 0))
            let (kept, ended) = (try UDPSocket(), try UDPSocket(bindingTo: Endpoint(Self.denied, 0)))
            try connection.send("a")
            #expect(connection.receive(1).text == "a")
            for socket in [kept, ended] { #expect(try Self.ask(socket, ports.udp) == [7]) }
            let before = try weir.scrape()

            let after = try weir.reload(routes: routes, rest: Self.denyLoopbackPart)
            #expect(after.countersBehind(before) == [])
            try weir.scrape(until: "the session is over") { $0.sessionsClosed("dns", "route_removed") == 1 }
            try connection.send("b")
            #expect(connection.receive(1).text == "b")
            #expect(try Self.ask(kept, ports.udp) == [7])
            try ended.send([1], to: Endpoint(ports.udp))
            let samples = try weir.scrape(until: "the source is denied now") {
                $0.total("weir_udp_drops_total", ["route": "dns", "reason": "acl"]) == 1
            }
            #expect(samples.sessionsOpened("dns") == 3 && samples.sessionsActive("dns") == 1)
            #expect(samples.sessionsRejected("dns") == 1 && samples.sessionsClosed("dns") == 1)
            // Clients that stayed were not judged again.
            #expect(samples.total("weir_acl_decisions_total") == 1)
            #expect(samples.active("web") == 1)

            // Without rules again the same source passes at once.
            try weir.reload(routes: routes)
            #expect(try Self.ask(ended, ports.udp) == [7])
        }

        @Test("route rules, defaults and allow_local decide in their order over clients that are not on this machine")
        func order() throws {
            let network = try NetworkNamespace()
            for address in ["10.9.0.1", "192.0.2.1", "192.0.2.2", "192.0.2.3"] {
                try network.ip("address add \(address)/32 dev lo")
            }
            try network.run {
                let server = try TCPServer.echo()
                let ports = try (0..<3).map { _ in try Ports.free() }
                let weir = try WeirProcess(
                    routes: [
                        .route("plain", ports[0], to: server.port),
                        .route(
                            "own", ports[1], to: server.port,
                            "acl: { default: deny, allow: [\"ip:192.0.2.3\"] }"),
                        .route("denying", ports[2], to: server.port, "acl: { deny: [\"ip:192.0.2.2\"] }"),
                    ].joined(separator: "\n"),
                    rest: "acl: { default: deny, allow: [\"ip:192.0.2.2\"], deny: [\"ip:192.0.2.1\"] }",
                    launcher: network.launcher)
                func passes(_ client: String, _ port: UInt16) throws -> Bool {
                    let connection = try TestConnection(to: Endpoint(client, port), from: Endpoint(client, 0))
                    try? connection.send("?")
                    return connection.receive(1).text == "?"
                }
                let clients = ["127.0.0.1", "10.9.0.1", "192.0.2.1", "192.0.2.2", "192.0.2.3"]
                for (port, expected) in zip(
                    ports,
                    [
                        [true, true, false, true, false], [true, false, false, false, true],
                        [true, true, false, false, false],
                    ])
                {
                    #expect(try clients.map { try passes($0, port) } == expected)
                }
                let samples = try weir.scrapeWhenIdle("plain")
                #expect(samples.decisions("plain", "deny", "ip", "global") == 1)
                #expect(samples.decisions("plain", "deny", "default", "global") == 1)
                #expect(samples.decisions("plain", "allow", "ip", "global") == 1)
                #expect(samples.decisions("own", "allow", "ip", "route") == 1)
                #expect(samples.decisions("own", "deny", "default", "route") == 2)
                #expect(samples.decisions("denying", "deny", "ip", "route") == 1)
            }
        }

        @Test("a route whose clients all come from one private address warns once, and only where it matters")
        func gateway() throws {
            let network = try NetworkNamespace()
            try network.ip("address add 172.17.0.1/32 dev lo")
            try network.run {
                let server = try TCPServer.echo()
                let ports = (trusting: try Ports.free(), open: try Ports.free())
                let weir = try WeirProcess(
                    routes: [
                        .route("trusting", ports.trusting, to: server.port),
                        .route(
                            "open", ports.open, to: server.port, "acl: { default: allow, deny: [\"ip:192.0.2.1\"] }"),
                    ].joined(separator: "\n"), rest: "acl: { default: deny }", launcher: network.launcher)
                for port in [ports.open, ports.trusting] {
                    for _ in 0..<40 {
                        let client = try TestConnection(
                            to: Endpoint("172.17.0.1", port), from: Endpoint("172.17.0.1", 0))
                        try client.send("?")
                        #expect(client.receive(1).text == "?")
                    }
                }
                try weir.waitForLog("WARNING every client so far has the same private address", "route=trusting")
                #expect(try weir.stop() == .code(0))
                #expect(weir.logLines.count { $0.contains("every client so far") } == 1)
            }
        }
    }
}

extension Samples {
    /// Decisions of access rules on a route.
    func decisions(_ route: String, _ decision: String, _ kind: String, _ scope: String) -> Int {
        total(
            "weir_acl_decisions_total",
            ["route": route, "decision": decision, "rule_kind": kind, "scope": scope])
    }
}

extension Samples.Series {
    /// `deny cidr global`.
    fileprivate var decision: String {
        ["decision", "rule_kind", "scope"].map { labels[$0] ?? "" }.joined(separator: " ")
    }
}
