import TestSupport
import Testing

extension Integration {
    /// As in ``NameFaultTests``: a route to a dead port makes Weir ask for its name again.
    @Suite("Upstream names that move, and names that hang", .timeLimit(.minutes(2)))
    struct NameChangeTests {
        private static func success(_ samples: Samples, _ route: String) -> Int {
            samples.total("weir_upstream_resolves_total", ["route": route, "result": "success"])
        }

        /// How a UDP upstream leaves its old address.
        enum Leaving: String, CaseIterable {
            /// Its port is dead, and the kernel says so.
            case refusing
            /// It receives the datagrams and answers none.
            case silent
        }

        @Test(
            "a name moves: new connections go there, old ones stay, a busy UDP session is dialed again in place",
            arguments: Leaving.allCases)
        func moves(leaving: Leaving) throws {
            let names = try NameServer()
            names["moving.weir.test"] = .addresses(["127.0.0.1"])
            let hosts = ["127.0.0.1", "127.0.0.2"]
            let (tcpPort, udpPort) = (try Ports.free(), try Ports.free())
            // Each answers with its own number.
            let servers = try hosts.enumerated().map { number, host in
                try TCPServer(host: host, port: tcpPort) { connection in
                    while connection.receive(1).ending == .satisfied { try connection.send([UInt8(number)]) }
                }
            }
            let isSilent = leaving == .silent
            let gone = Flag()
            let first = try UDPServer(host: hosts[0], port: udpPort) { _ in isSilent && gone.isSet ? [] : [[0]] }
            let second = try UDPServer(host: hosts[1], port: udpPort) { _ in [[1]] }
            let (tcp, udp, kick) = (try Ports.free(), try Ports.free(), try Ports.free())
            let host = "moving.weir.test"
            let weir = try WeirProcess(
                routes: [
                    .route("tcp", tcp, to: tcpPort, host: host),
                    .route("udp", udp, to: udpPort, scheme: "udp4", host: host),
                    .route("kick", kick, to: try Ports.free(), host: host),
                ].joined(separator: "\n"), rest: "workers: 1", launcher: names.launcher)
            let old = try TestConnection(to: Endpoint(tcp))
            try old.send("?")
            #expect(old.receive(1).bytes == [0])
            let player = try UDPSocket()
            for _ in 0..<3 {
                try player.send([9], to: Endpoint(udp))
                #expect(try player.receive().bytes == [0])
            }

            names["moving.weir.test"] = .addresses(["127.0.0.2"])
            gone.set()
            if leaving == .refusing { try first.stop() }
            #expect(try TestConnection(to: Endpoint(kick)).receive().ending == .reset)
            // Never silent for long: no timer of the session fires.
            try waitUntil("the session is answered from the other address") {
                try player.send([9], to: Endpoint(udp))
                return player.isReadable(within: 20) ? try player.receive().bytes == [1] : false
            }
            try waitUntil("new connections go to the other address") {
                let client = try TestConnection(to: Endpoint(tcp))
                try client.send("?")
                return client.receive(1).bytes == [1]
            }
            try old.send("?")
            #expect(old.receive(1).bytes == [0])
            #expect(servers[0].accepted >= 1)
            #expect(second.received >= 1)
            // One look-up serves all routes, and each hears of it in its turn.
            let routes = ["tcp", "udp", "kick"]
            let samples = try weir.scrape(until: "every route has heard of the look-up") { samples in
                routes.allSatisfy { Self.success(samples, $0) >= 2 }
            }
            #expect(samples.total("weir_udp_sessions_opened_total", ["route": "udp"]) == 1)
            #expect(samples.total("weir_udp_sessions_closed_total", ["route": "udp"]) == 0)
            #expect(samples.total("weir_udp_drops_total", ["route": "udp"]) == 0)
            #expect(samples.total("weir_dials_total", ["route": "udp"]) == 1)
            #expect(samples.total("weir_dial_failures_total", ["route": "tcp"]) == 0)
            #expect(samples.total("weir_upstream_resolves_total", ["route": "udp", "result": "failure"]) == 0)
            if leaving == .silent {
                // One dial failed, so there was one more look-up.
                for route in routes { #expect(Self.success(samples, route) == 2) }
                #expect(samples.total("weir_udp_upstream_errors_total") == 0)
            }
        }

        @Test("a lifetime of nothing does not make Weir ask for each connection")
        func zeroLifetime() throws {
            let names = try NameServer()
            names["short.weir.test"] = .addresses(["127.0.0.1"], ttl: 0)
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route("short", port, to: server.port, host: "short.weir.test"), launcher: names.launcher)
            for _ in 0..<50 {
                let client = try TestConnection(to: Endpoint(port))
                try client.send("?")
                #expect(client.receive(1).text == "?")
            }
            #expect(names.lookUps(of: "short.weir.test") == 1)
            #expect(try Self.success(weir.scrape(), "short") == 1)
            #expect(server.accepted == 50)
        }

        @Test("names that hang keep only their own clients waiting, who are served once there is an answer")
        func hangingNames() throws {
            // Longer than the test takes.
            let names = try NameServer(timeout: 20)
            let server = try TCPServer.echo()
            let hanging = (0..<8).map { "hang\($0)" }
            for name in hanging { names["\(name).weir.test"] = .held }
            names["quick.weir.test"] = .addresses(["127.0.0.1"])
            let routes = try (hanging + ["quick"]).map { ($0, try Ports.free()) }
            let weir = try WeirProcess(
                routes: routes.map {
                    .route($0.0, $0.1, to: server.port, host: "\($0.0).weir.test", "dial_timeout: 60s")
                }.joined(separator: "\n"), rest: "workers: 1", launcher: names.launcher)
            try waitUntil("all names are asked for") {
                hanging.allSatisfy { names.lookUps(of: "\($0).weir.test") == 1 }
            }
            let waiting = try routes.dropLast().map { try TestConnection(to: Endpoint($0.1)) }
            for client in waiting { try client.send("?") }
            let (_, quick) = try #require(routes.last)
            for _ in 0..<20 {
                let client = try TestConnection(to: Endpoint(quick))
                try client.send("?")
                #expect(client.receive(1).text == "?")
            }
            let during = try weir.scrape()
            #expect(Self.success(during, "quick") == 1)
            #expect(during.total("weir_upstream_resolves_total") == 1)
            #expect(during.total("weir_dials_total", ["route": "quick"]) == 20)
            #expect(during.total("weir_dials_total") == 20)
            for name in hanging { #expect(during.active(name) == 1) }
            for name in hanging { names["\(name).weir.test"] = .addresses(["127.0.0.1"]) }
            for client in waiting { #expect(client.receive(1).text == "?") }
            let after = try weir.scrape()
            #expect(after.total("weir_upstream_resolves_total", ["result": "success"]) == 9)
            #expect(after.total("weir_upstream_resolves_total", ["result": "failure"]) == 0)
            #expect(after.total("weir_dials_total") == 28)
            #expect(after.total("weir_dial_failures_total") == 0)
        }
    }
}

/// Set once, read from other threads.
private final class Flag: Sendable {
    private let value = Shared(false)
    var isSet: Bool { value.withLock { $0 } }
    func set() { value.withLock { $0 = true } }
}
