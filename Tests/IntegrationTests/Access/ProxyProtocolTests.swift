import TestSupport
import Testing

extension Integration {
    @Suite("PROXY protocol")
    struct ProxyProtocolTests {
        private static let trusting = "proxy_protocol: { mode: required, trusted_proxies: [127.0.0.0/8] }"

        @Test(
            "Behind another Weir the client is who it was: in the log, and for the next one", arguments: ["v1", "v2"])
        func chain(version: String) throws {
            let server = try TCPServer.echo()
            let ports = try (0..<2).map { _ in try Ports.free() }
            let inner = try WeirProcess(
                routes: .route("in", ports[0], to: server.port, Self.trusting), rest: "log: { level: debug }")
            let outer = try WeirProcess(
                routes: .route("out", ports[1], to: ports[0], "relay_proxy_protocol_header: \(version)"))
            let client = try TestConnection(to: Endpoint(ports[1]), from: Endpoint("127.0.0.7", 0))
            try client.send("hello")
            #expect(client.receive(5).text == "hello")
            let own = try client.localEndpoint
            try inner.waitForLog("connection accepted", "client=\(own)")
            try inner.waitForLog("client behind a proxy", "client=\(own)", "peer=127.0.0.1:")
            client.close()
            try inner.waitForLog("connection closed", "client=\(own)", "reason=client_eof")
            let samples = try inner.scrapeWhenIdle("in")
            #expect(
                samples[
                    "weir_proxy_protocol_headers_total", ["route": "in", "protocol": "tcp", "version": version]]
                    == 1)
            #expect(samples.total("weir_proxy_protocol_headers_total") == 1)
            #expect(samples.total("weir_proxy_protocol_errors_total") == 0)
            // The header is none of the client's bytes, on neither side.
            #expect(samples.bytes("in", "ingress") == 5)
            let before = try outer.scrapeWhenIdle("out")
            #expect(before.bytes("out", "ingress") == 5)
            // A feature that a route does not use exports no series.
            #expect(before.matching("weir_proxy_protocol_headers_total").isEmpty)
        }

        @Test("A probe that closes or resets before its first byte is counted as one, and is no error of a header")
        func probes() throws {
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("in", port, to: server.port, Self.trusting))
            for round in 1...10 {
                let probe = try TestConnection(to: Endpoint(port))
                if round.isMultiple(of: 2) { try probe.reset() } else { probe.close() }
                try weir.scrape(until: "the probe is over") { $0.accepted("in") == round && $0.active("in") == 0 }
            }
            let samples = try weir.scrape()
            #expect(samples["weir_tcp_connections_rejected_total", ["route": "in", "reason": "probe"]] == 10)
            #expect(samples.total("weir_tcp_connections_rejected_total") == 10 && samples.closed("in") == 0)
            #expect(samples.total("weir_proxy_protocol_errors_total") == 0)
            #expect(samples.total("weir_accept_errors_total") == 0)
            #expect(weir.logLines.allSatisfy { !$0.contains("header refused") && !$0.contains("rejected") })
            #expect(server.accepted == 0)
        }

        @Test("A refused header is in the log with its first bytes, over TCP and UDP")
        func refusedHeader() throws {
            let ports = try (0..<2).map { _ in try Ports.free() }
            let weir = try WeirProcess(
                routes: [
                    .route("tcp", ports[0], to: 9, Self.trusting),
                    .route("udp", ports[1], to: 9, scheme: "udp4", Self.trusting),
                ].joined(separator: "\n"))
            let client = try TestConnection(to: Endpoint(ports[0]))
            try client.send("PROXY TCP6 192.0.2.1 2001:db8::1 1 2\r\n")
            #expect(client.receive().ending == .reset)
            let line = try weir.waitForLog("PROXY header refused", "route=tcp")
            #expect(line.contains("header=\"PROXY TCP6 192.0.2.1 2001:db8::1 1 2%0d%0a\""))
            try UDPSocket().send([0x1b, 0x22, 0x41], to: Endpoint(ports[1]))
            #expect(try weir.waitForLog("PROXY header refused", "route=udp").contains("header=\"%1b\\\"A\""))
        }

        @Test("Two with their defaults understand each other, whatever a client sends")
        func datagramDefaults() throws {
            let server = try UDPServer.echo()
            let ports = try (0..<2).map { _ in try Ports.free() }
            let inner = try WeirProcess(
                routes: .route("in", ports[0], to: server.port, scheme: "udp4", Self.trusting, "unassured_timeout: 1s"),
                rest: "log: { level: debug }")
            let outer = try WeirProcess(
                routes: .route("out", ports[1], to: ports[0], scheme: "udp4", "relay_proxy_protocol_header: true"))
            let client = try UDPSocket(bindingTo: Endpoint("127.0.0.7", 0))
            // A header of the client's own, in front of its first datagram or of one after the inner session's end.
            let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10]
            let forged = signature + [0x21, 0x12, 0, 12] + [203, 0, 113, 9, 127, 0, 0, 1, 0, 9, 0, 9] as [UInt8]
            for round in 1...2 {
                try client.send(forged, to: Endpoint(ports[1]))
                #expect(try client.receive().bytes == forged)
                try inner.scrape(until: "the session is over") {
                    $0.total("weir_udp_sessions_closed_total", ["route": "in", "reason": "idle"]) == round
                }
            }
            let own = try client.localEndpoint
            try inner.waitForLog("client behind a proxy", "client=\(own)", "peer=127.0.0.1:")
            let samples = try inner.scrape()
            #expect(samples.sessionsOpened("in") == 2)
            #expect(
                samples[
                    "weir_udp_drops_total",
                    [
                        "route": "in", "direction": "ingress", "reason": "stale_session",
                    ]] == 0)
            withExtendedLifetime(outer) {}
        }

        @Test("So it is with datagrams, whichever of them carry the header", arguments: ["first", "each"])
        func datagrams(headers: String) throws {
            let server = try UDPServer.echo()
            let ports = try (0..<2).map { _ in try Ports.free() }
            let inner = try WeirProcess(
                routes: .route(
                    "in", ports[0], to: server.port, scheme: "udp4",
                    "proxy_protocol: { mode: required, trusted_proxies: [127.0.0.1], datagrams: \(headers) }"),
                rest: "log: { level: debug }")
            let outer = try WeirProcess(
                routes: .route(
                    "out", ports[1], to: ports[0], scheme: "udp4",
                    "relay_proxy_protocol_header: \(headers)"))
            let client = try UDPSocket(bindingTo: Endpoint("127.0.0.7", 0))
            for number in UInt8(0)..<3 {
                try client.send([number], to: Endpoint(ports[1]))
                #expect(try client.receive().bytes == [number])
            }
            let own = try client.localEndpoint
            try inner.waitForLog("session opened", "client=\(own)")
            try inner.waitForLog("client behind a proxy", "client=\(own)", "peer=127.0.0.1:")
            // Datagrams of an unknown peer are ignored.
            try client.send([9], to: Endpoint(ports[0]))
            let drops = ["route": "in", "direction": "ingress", "reason": "error"]
            let samples = try inner.scrape(until: "the stranger is counted, and the datagram") {
                $0["weir_proxy_protocol_errors_total", ["route": "in", "protocol": "udp", "reason": "untrusted"]] == 1
                    && $0["weir_udp_drops_total", drops] == 1
            }
            try inner.waitForLog("PROXY header refused", "reason=untrusted")
            #expect(samples.sessionsOpened("in") == 1)
            #expect(
                samples["weir_proxy_protocol_headers_total", ["route": "in", "protocol": "udp", "version": "v2"]]
                    == (headers == "each" ? 3 : 1))
            #expect(samples.bytes("in", "ingress") == 3)
            #expect(try outer.scrape().bytes("out", "ingress") == 3)
        }

        @Test("A reload turns it on and off; refused headers are rejected connections, and the books balance")
        func reload() throws {
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let plain = String.route("a", port, to: server.port)
            let weir = try WeirProcess(routes: plain)
            func echo(_ bytes: [UInt8]) throws -> TestConnection.Received {
                let client = try TestConnection(to: Endpoint(port))
                try client.send(bytes)
                return client.receive(bytes.count)
            }
            let bad = try #require(HeaderVector.all.first { $0.outcome == .refused("checksum") }).bytes
            #expect(try echo(bad).bytes == bad)
            let old = try TestConnection(to: Endpoint(port))
            try old.send("old")
            #expect(old.receive(3).text == "old")
            let global = "entrypoint: { proxy_protocol: { mode: mixed, trusted_proxies: [127.0.0.1] } }"
            try weir.reload(routes: [plain], rest: global)
            #expect(try echo(bad).ending == .reset)
            let stranger = try TestConnection(to: Endpoint(port), from: Endpoint("127.0.0.9", 0))
            try stranger.send(bad)
            #expect(stranger.receive(bad.count).bytes == bad)
            // Existing sessions go on as they began.
            try old.send("old")
            #expect(old.receive(3).text == "old")
            stranger.close()
            let samples = try weir.scrape(until: "only the old connection is left") { $0.active("a") == 1 }
            #expect(
                samples["weir_proxy_protocol_errors_total", ["route": "a", "protocol": "tcp", "reason": "checksum"]]
                    == 1)
            #expect(samples["weir_tcp_connections_rejected_total", ["route": "a", "reason": "proxy_protocol"]] == 1)
            let rejected = samples.total("weir_tcp_connections_rejected_total", ["route": "a"])
            #expect(samples.accepted("a") == 1 + samples.closed("a") + rejected)
            try weir.reload(routes: [plain])
            #expect(try echo(bad).bytes == bad)
        }
    }
}
