import TestSupport
import Testing

extension Integration {
    @Suite("Access rules and PROXY headers")
    struct AccessHeaderTests {
        private static let rest = "acl: { default: deny, allow_local: false, allow: [\"ip:192.0.2.1\"] }"
        private static let trusting = "proxy_protocol: { mode: mixed, trusted_proxies: [127.0.0.1, \"::1\"]"
        private static let signature: [UInt8] = [
            0x0d, 0x0a, 0x0d, 0x0a, 0, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a,
        ]
        /// Version 2, command LOCAL.
        private static let local = signature + [0x20, 0, 0, 0]
        private static let mappedLoopback: [UInt8] = [UInt8](repeating: 0, count: 10) + [0xff, 0xff, 127, 0, 0, 1]
        private static let loopbackIPv6: [UInt8] = [UInt8](repeating: 0, count: 15) + [1]

        /// Version 2 that names `source` as the client, for TCP (1) or UDP (2).
        private static func v2(_ source: [UInt8], port: UInt16 = 4000, transport: UInt8) -> [UInt8] {
            let family: UInt8 = source.count == 4 ? 0x10 : 0x20
            let target = source.count == 4 ? [192, 0, 2, 99] : [0x20, 1] + [UInt8](repeating: 0, count: 13) + [9]
            let body = source + target + [UInt8(port >> 8), UInt8(port & 255), 0, 80]
            return signature + [0x21, family | transport, 0, UInt8(body.count)] + body
        }

        private static func passes(_ header: [UInt8], _ port: UInt16, from host: String = "127.0.0.1") throws -> Bool {
            let client = try TestConnection(to: Endpoint(port), from: Endpoint(host, 0))
            // If the reset arrives first, the send fails with it.
            try? client.send(header + Array("?".utf8))
            return client.receive(1).text == "?"
        }

        @Test("a header that names a loopback address makes no client local; the peer itself still is")
        func tcp() throws {
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route("web", port, to: server.port, Self.trusting + " }"),
                rest: "\(Self.rest)\nlog: { level: debug }")
            let named: [[UInt8]] = [
                Array("PROXY TCP4 127.0.0.1 127.0.0.1 4000 80\r\n".utf8),
                Array("PROXY TCP4 127.9.9.9 192.0.2.99 4000 80\r\n".utf8),
                Array("PROXY TCP6 ::1 ::1 4000 80\r\n".utf8),
                Array("PROXY TCP6 ::ffff:127.0.0.1 ::ffff:127.0.0.1 4000 80\r\n".utf8),
                Array("PROXY TCP4 0.0.0.0 192.0.2.99 4000 80\r\n".utf8), Self.v2([127, 0, 0, 1], transport: 1),
                Self.v2(Self.loopbackIPv6, transport: 1), Self.v2(Self.mappedLoopback, transport: 1),
                Self.v2([UInt8](repeating: 0, count: 16), transport: 1),
            ]
            for header in named { #expect(try !Self.passes(header, port), "\(header)") }
            #expect(server.accepted == 0)
            let samples = try weir.scrapeWhenIdle("web")
            #expect(samples.decisions("web", "deny", "default", "global") == named.count)
            #expect(samples.decisions("web", "allow", "local", "global") == 0)
            try weir.waitForLog("client behind a proxy", "client=127.0.0.1:4000", "peer=127.0.0.1:")

            // A header without addresses keeps the peer as the client, as does a missing header; rules apply all the
            // same.
            #expect(try Self.passes(Array("PROXY UNKNOWN\r\n".utf8), port))
            #expect(try Self.passes(Array("PROXY UNKNOWN 192.0.2.7 192.0.2.8 1 2\r\n".utf8), port))
            #expect(try Self.passes(Self.local, port))
            #expect(try Self.passes([], port, from: "127.0.0.2"))
            #expect(try Self.passes(Self.v2([192, 0, 2, 1], transport: 1), port))
            let after = try weir.scrapeWhenIdle("web")
            #expect(after.decisions("web", "allow", "local", "global") == 4)
            #expect(after.decisions("web", "allow", "ip", "global") == 1)
        }

        @Test("so it is with datagrams, also where a header names the address of the peer itself")
        func udp() throws {
            let server = try UDPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route(
                    "dns", port, to: server.port, scheme: "udp4", Self.trusting + ", datagrams: each }"),
                rest: Self.rest)
            let socket = try UDPSocket(bindingTo: Endpoint("127.0.0.1", 0))
            let own = try socket.localEndpoint.port
            try socket.send(Self.local + [1], to: Endpoint(port))
            #expect(try socket.receive().bytes == [1])
            let named: [[UInt8]] = [
                Self.v2([127, 0, 0, 1], port: own, transport: 2), Self.v2([127, 0, 0, 1], transport: 2),
                Self.v2(Self.loopbackIPv6, transport: 2), Self.v2(Self.mappedLoopback, port: 4001, transport: 2),
            ]
            for header in named { try socket.send(header + [2], to: Endpoint(port)) }
            let samples = try weir.scrape(until: "the datagrams are dropped") {
                $0.total("weir_udp_drops_total", ["route": "dns", "reason": "acl"]) == named.count
            }
            #expect(samples.decisions("dns", "deny", "default", "global") == named.count)
            // The denial of a named client is not a denial of its peer.
            try socket.send(Self.local + [3], to: Endpoint(port))
            #expect(try socket.receive().bytes == [3])
            #expect(server.received == 2)
            let other = try UDPSocket(bindingTo: Endpoint("127.0.0.2", 0))
            try other.send([4], to: Endpoint(port))
            #expect(try other.receive().bytes == [4])
        }

        @Test("the first datagram's header counts in the same way, and a route's own default, too")
        func firstDatagram() throws {
            let server = try UDPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route(
                    "dns", port, to: server.port, scheme: "udp4", Self.trusting + ", datagrams: first }",
                    "acl: { default: deny, allow: [\"ip:192.0.2.1\"] }"))
            let socket = try UDPSocket(bindingTo: Endpoint("127.0.0.1", 0))
            try socket.send(Self.v2([127, 0, 0, 1], transport: 2) + [1], to: Endpoint(port))
            let samples = try weir.scrape(until: "the client is denied") {
                $0.total("weir_udp_drops_total", ["route": "dns", "reason": "acl"]) == 1
            }
            #expect(samples.decisions("dns", "deny", "default", "route") == 1)
            let second = try UDPSocket(bindingTo: Endpoint("127.0.0.1", 0))
            try second.send(Self.local + [2], to: Endpoint(port))
            #expect(try second.receive().bytes == [2])
            #expect(server.received == 1)
        }
    }
}
