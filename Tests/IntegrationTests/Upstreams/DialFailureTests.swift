import TestSupport
import Testing

extension Integration {
    @Suite("Dials that fail say why")
    struct DialFailureTests {
        @Test("a closed port, a full backlog and an unknown name each count under their reason and are logged")
        func reasons() throws {
            let silent = try UnansweringServer()
            let closed = try Ports.free()
            let cases: [(route: String, host: String, upstreamPort: UInt16, reason: String)] = [
                ("closed-port", "127.0.0.1", closed, "refused"),
                ("full-backlog", "127.0.0.1", silent.port, "timeout"),
                ("no-such-name", "does-not-exist.invalid", 9, "dns_not_found"),
            ]
            let ports = try cases.map { _ in try Ports.free() }
            let routes = zip(cases, ports).map { entry, port in
                """
                \(entry.route): { scheme: tcp4, host: \(entry.host), port: "\(port):\(entry.upstreamPort)", \
                dial_timeout: 2s }
                """
            }
            let weir = try WeirProcess(routes: routes.joined(separator: "\n"))
            for (entry, port) in zip(cases, ports) {
                let upstream = "\(entry.host):\(entry.upstreamPort)"
                let before = try weir.scrape()
                let labels = ["route": entry.route, "protocol": "tcp", "upstream": upstream, "reason": entry.reason]
                // Every reason is there from the start, so that rate() sees the first failure.
                #expect(before["weir_dial_failures_total", labels] == 0)

                let client = try TestConnection(to: Endpoint(port))
                try client.setTimeouts(seconds: 5)
                let ending = client.receive().ending
                #expect(ending == .endOfStream || ending == .reset)

                let samples = try weir.scrapeWhenIdle(entry.route)
                #expect(samples["weir_dial_failures_total", labels] == 1)
                #expect(samples.total("weir_dial_failures_total", ["route": entry.route]) == 1)
                #expect(samples.total("weir_dials_total", ["route": entry.route]) == 1)
                #expect(samples.closed(entry.route, "dial_failed") == 1)
                #expect(samples.closed(entry.route) == 1)
                #expect(
                    samples.total("weir_timeouts_total", ["route": entry.route, "kind": "dial"])
                        == (entry.reason == "timeout" ? 1 : 0))
                try weir.waitForLog(entry.route, upstream, entry.reason)
            }
        }

        @Test(
            "localhost reaches an upstream that listens on IPv4 only, and an IPv6 upstream is dialed as one",
            arguments: [("localhost", "127.0.0.1"), ("\"::1\"", "::1")])
        func bothFamilies(host: String, listening: String) throws {
            let server = try TCPServer.echo(host: listening)
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("local", port, to: server.port, host: host))
            let client = try TestConnection(to: Endpoint(port))
            try client.send("either family")
            #expect(client.receive(13).text == "either family")
            #expect(try weir.scrape().total("weir_dial_failures_total") == 0)
        }

        @Test("an upstream that comes back is reached by the next connection")
        func recovery() throws {
            let upstreamPort = try Ports.free()
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("back", port, to: upstreamPort))
            _ = try TestConnection(to: Endpoint(port)).receive()
            try weir.scrapeWhenIdle("back")
            let server = try TCPServer.echo(port: upstreamPort)
            let client = try TestConnection(to: Endpoint(port))
            try client.send("hello")
            #expect(client.receive(5).text == "hello")
            #expect(server.accepted == 1)
            let samples = try weir.scrape()
            #expect(samples.total("weir_dials_total") == 2)
            #expect(samples.total("weir_dial_failures_total") == 1)
        }
    }
}
