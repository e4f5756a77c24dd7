import TestSupport
import Testing

extension Integration {
    /// Proxies whose routes dial each other, though no file shows it.
    @Suite("Weirs that dial each other")
    struct MutualDialTests {
        /// The dials of one worker that a chain may have (`ReturnedDials`).
        private static let maxDials = 10_000

        /// Processes of one worker, of which each dials the next and the last one the first.
        private static func ring(
            scheme: String, passingHeaders: Bool = false, host: String = "127.0.0.1", _ more: String...,
            rest: String = ""
        ) throws -> [(weir: WeirProcess, port: UInt16)] {
            let ports = try (0..<2).map { _ in try Ports.free() }
            let headers = [
                "relay_proxy_protocol_header: true",
                "proxy_protocol: { mode: mixed, trusted_proxies: [127.0.0.1] }",
            ]
            let fields = ["scheme: \(scheme)", "host: \(host)"] + more + (passingHeaders ? headers : [])
            return try ports.enumerated().map { number, port in
                let next = ports[(number + 1) % ports.count]
                let route = "on: { port: \"\(port):\(next)\", \(fields.joined(separator: ", ")) }"
                let weir = try WeirProcess(routes: route, rest: "workers: 1\nlog: { level: warning }\n" + rest)
                return (weir, port)
            }
        }

        /// A client that is no trusted proxy, and so sends no header.
        private static func connect(to port: UInt16) throws -> TestConnection {
            let client = try TestConnection(to: Endpoint(port), from: Endpoint("127.0.0.9", 0))
            try client.setTimeouts(seconds: 60)
            try client.send("?")
            return client
        }

        private static func expectAllEnd(_ ring: [(weir: WeirProcess, port: UInt16)]) throws {
            for entry in ring {
                let samples = try entry.weir.scrape(until: "every connection has ended", deadline: .seconds(60)) {
                    $0.accepted("on") > 0 && $0.active("on") == 0
                }
                let rejected = samples.total("weir_tcp_connections_rejected_total")
                #expect(samples.accepted("on") == samples.closed("on") + rejected)
            }
        }

        @Test(
            "a client of TCP is a chain of connections, which the limit of each client cuts", arguments: [false, true])
        func limitedChain(passingHeaders: Bool) throws {
            let ring = try Self.ring(
                scheme: "tcp4", passingHeaders: passingHeaders, "max_connections_per_ip: 50")
            let received = try Self.connect(to: ring[0].port).receive()
            #expect(received.bytes.isEmpty && received.ending != .timedOut)
            try Self.expectAllEnd(ring)
            let pages = try ring.map { try $0.weir.scrape() }
            #expect(pages.allSatisfy { $0.accepted("on") <= 52 })
            let cuts = pages.map {
                $0.total("weir_tcp_connections_rejected_total", ["reason": "per_ip_limit"])
            }
            #expect(cuts.reduce(0, +) >= 1)
        }

        @Test("without it the limit of the process ends the chain: listeners pause until the client resets it")
        func pausedChain() throws {
            let ring = try Self.ring(scheme: "tcp4", rest: "limits: { max_connections: 200 }")
            let client = try Self.connect(to: ring[0].port)
            try waitUntil("a listener pauses", deadline: .seconds(60)) {
                try ring.contains { try $0.weir.scrape().total("weir_accept_pauses_total") > 0 }
            }
            for entry in ring { #expect(try entry.weir.scrape().active("on") <= 200) }
            try client.reset()
            try Self.expectAllEnd(ring)
        }

        // Of 127.0.0.2 the kernel takes 127.0.0.1 for our own address.
        @Test(
            "a datagram goes round until one refused dial drops it",
            arguments: [(false, "127.0.0.1"), (true, "127.0.0.1"), (false, "127.0.0.2")])
        func datagrams(passingHeaders: Bool, host: String) throws {
            let ring = try Self.ring(scheme: "udp4", passingHeaders: passingHeaders, host: host)
            let client = try UDPSocket(bindingTo: Endpoint("127.0.0.9", 0))
            try client.send([1], to: Endpoint(ring[0].port))
            var pages: [Samples] = []
            func sum(_ metric: String, _ labels: [String: String] = [:]) -> Int {
                pages.reduce(0) { $0 + $1.total(metric, labels) }
            }
            let inward = ["direction": "ingress"]
            try waitUntil("it is dropped", deadline: .seconds(60)) {
                pages = try ring.map { try $0.weir.scrape() }
                return sum("weir_udp_drops_total", inward) > 0
            }
            #expect(sum("weir_udp_drops_total", inward) == 1)
            #expect(sum("weir_dial_failures_total", ["reason": "loop"]) == 1)
            #expect(sum("weir_dial_failures_total") == 1)
            #expect(pages.map { $0.total("weir_dials_total") }.max() == Self.maxDials + 1)
            // Each session has forwarded it once, but the last one: it is nowhere any more.
            #expect(sum("weir_udp_datagrams_total", inward) == sum("weir_udp_sessions_opened_total") - 1)
            let refusing = try #require(
                ring.first { try $0.weir.scrape().total("weir_dial_failures_total") == 1 })
            try refusing.weir.waitForLog("dial failed", "reason=loop")
        }

        @Test("clients of this machine that are never answered are no chain where they send different bytes")
        func oneWay() throws {
            let sink = try UDPServer { _ in [] }
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route("on", port, to: sink.port, scheme: "udp4", "unassured_timeout: 1s"),
                rest: "workers: 1\nlog: { level: warning }\n")
            var page = try weir.scrape()
            // The kernel gives ports again, also those of sessions that still wait: there are fewer dials than clients.
            for round in 0..<300 where page.total("weir_dials_total") <= Self.maxDials + 100 {
                for number in 0..<100 {
                    let client = try UDPSocket(buffer: 65_536)
                    try client.send(Array("line \(round) \(number)".utf8), to: Endpoint(port))
                }
                // No more at once than socket buffers hold.
                try waitUntil("they arrive") { sink.received == (round + 1) * 100 }
                page = try weir.scrape()
            }
            #expect(page.total("weir_dials_total") > Self.maxDials + 100)
            #expect(page.total("weir_dial_failures_total") == 0)
            #expect(page.total("weir_udp_drops_total") == 0)
        }
    }
}
