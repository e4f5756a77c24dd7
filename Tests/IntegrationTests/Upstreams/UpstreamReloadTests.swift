import TestSupport
import Testing

extension Integration {
    /// Reloads that change the upstreams of a route again and again, under load.
    @Suite("Reloads of sets of upstreams", .timeLimit(.minutes(5)))
    struct UpstreamReloadTests {
        /// The upstreams and the policy of a round: some come, go, change their weight, or have another name.
        private static func settings(_ ports: [UInt16], _ random: inout SeededGenerator) -> String {
            // The first server is always there, so that there is one to choose.
            let present = ports.indices.filter { $0 == 0 || Bool.random(using: &random) }
            let upstreams = present.map { index in
                var fields = ["host: 127.0.0.1", "port: \(ports[index])"]
                if Bool.random(using: &random) { fields.append("weight: \(Int.random(in: 1...9, using: &random))") }
                if Bool.random(using: &random) { fields.append("name: server-\(index)") }
                if index > 0, Int.random(in: 0..<4, using: &random) == 0 { fields.append("backup: true") }
                if index > 0, Int.random(in: 0..<4, using: &random) == 0 { fields.append("drain: true") }
                return "{ \(fields.joined(separator: ", ")) }"
            }
            let policies = ["round_robin", "least_connections", "maglev", "first"]
            let policy = policies.randomElement(using: &random) ?? policies[0]
            return "upstreams: [\(upstreams.joined(separator: ", "))], balance: \(policy)"
        }

        /// The routes on which the clients that began are not those that ended, are there, or were rejected.
        private static func imbalances(_ samples: Samples) -> [String] {
            [("tcp", "weir_tcp_connections", "accepted"), ("udp", "weir_udp_sessions", "opened")].compactMap { entry in
                let (route, family, begun) = entry
                let total = samples.total("\(family)_\(begun)_total", ["route": route])
                let parts = ["active", "closed_total", "rejected_total"].map {
                    samples.total("\(family)_\($0)", ["route": route])
                }
                return total == parts.reduce(0, +) ? nil : "\(route): \(total) is not the sum of \(parts)"
            }
        }

        @Test("upstreams that come, go, change weight, name and policy: no client and no datagram is lost")
        func storm() throws {
            let servers = try (0..<4).map { _ in try TCPServer.echo() }
            let datagrams = try (0..<4).map { _ in try UDPServer.echo() }
            let (tcp, udp) = (try Ports.free(), try Ports.free())
            var random = SeededGenerator(seed: 14)
            func routes() -> [String] {
                [
                    "tcp: { scheme: tcp4, port: \(tcp), \(Self.settings(servers.map(\.port), &random)) }",
                    "udp: { scheme: udp4, port: \(udp), \(Self.settings(datagrams.map(\.port), &random)) }",
                ]
            }
            let weir = try WeirProcess(
                routes: routes().joined(separator: "\n"), rest: "workers: 2\nlog: { level: error }")
            let old = try TestConnection(to: Endpoint(tcp))
            try old.expectEcho([0])
            let player = try UDPSocket()
            let connections = Repeater { _ in try TestConnection.exchange(tcp) }
            let sessions = Repeater { round in
                let client = try UDPSocket(buffer: 65_536)
                let question = Pattern.bytes(50, seed: UInt64(round))
                try client.send(question, to: Endpoint(udp))
                guard try client.receive().bytes == question else { throw WrongAnswer("another datagram") }
            }
            defer {
                connections.stop()
                sessions.stop()
            }
            var last = try weir.scrape()
            var mistakes: [String] = []
            for round in 1...fuzzRounds(20) {
                let now = try weir.reload(routes: routes(), rest: "workers: 2\nlog: { level: error }")
                mistakes += now.countersBehind(last) + Self.imbalances(now)
                last = now
                try old.expectEcho([UInt8(truncatingIfNeeded: round)])
                try player.send([UInt8(truncatingIfNeeded: round)], to: Endpoint(udp))
                #expect(try player.receive().bytes == [UInt8(truncatingIfNeeded: round)])
            }
            connections.stop()
            sessions.stop()
            #expect(mistakes == [])
            #expect(connections.failures == [])
            #expect(sessions.failures == [])
            try old.expectEnd()
            let end = try weir.scrapeWhenIdle("tcp")
            #expect(end.accepted("tcp") == connections.rounds + 1)
            #expect(end.closed("tcp", "client_eof") == connections.rounds + 1)
            #expect(end.total("weir_tcp_connections_rejected_total") == 0)
            #expect(end.total("weir_dial_failures_total") == 0)
            #expect(end.total("weir_udp_drops_total") == 0)
            #expect(
                end.total("weir_udp_datagrams_total", ["direction": "ingress"])
                    == end.total("weir_udp_datagrams_total", ["direction": "egress"]))
        }
    }
}
