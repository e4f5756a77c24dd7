import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("Limits of the whole process, and limits that change", .timeLimit(.minutes(2)))
    struct ProcessLimitTests {
        private static func connect(_ port: UInt16) throws -> TestConnection? {
            // Where it is refused the reset may come before the question, or before the kernel tells of the connection.
            guard let client = try? TestConnection(to: Endpoint(port)), (try? client.send("?")) != nil else {
                return nil
            }
            return client.receive(1).text == "?" ? client : nil
        }

        /// Two questions: after the second the session is assured, and is not evicted.
        private static func converse(_ client: UDPSocket, _ port: UInt16) throws -> Bool {
            for _ in 0..<2 {
                try client.send([7], to: Endpoint(port))
                guard client.isReadable(within: 1_000), try client.receive().bytes == [7] else { return false }
            }
            return true
        }

        @Test("what a client has on all routes, TCP and UDP, counts together")
        func perClientOverRoutes() throws {
            let (tcp, udp) = (try TCPServer.echo(), try UDPServer.echo())
            let ports = try (0..<3).map { _ in try Ports.free() }
            let weir = try WeirProcess(
                routes: [
                    .route("one", ports[0], to: tcp.port), .route("two", ports[1], to: tcp.port),
                    .route("three", ports[2], to: udp.port, scheme: "udp4"),
                ].joined(separator: "\n"), rest: "workers: 2\nlimits: { max_connections_per_ip: 3 }")
            let first = try #require(try Self.connect(ports[0]))
            let second = try #require(try Self.connect(ports[1]))
            let player = try UDPSocket()
            #expect(try Self.converse(player, ports[2]))
            #expect(try Self.connect(ports[0]) == nil)
            #expect(try !Self.converse(try UDPSocket(), ports[2]))
            let samples = try weir.scrape(until: "both refusals are counted") {
                $0.total("weir_tcp_connections_rejected_total", ["route": "one", "reason": "per_ip_limit"]) == 1
                    && $0.sessionsRejected("three", "per_ip_limit") == 1
            }
            #expect(samples.active("one") == 1 && samples.active("two") == 1 && samples.sessionsActive("three") == 1)
            first.close()
            try weir.scrape(until: "one is gone") { $0.active("one") == 0 }
            #expect(try Self.connect(ports[1]) != nil)
            withExtendedLifetime(second) {}
        }

        @Test("sessions of all routes share one bound, which a reload moves")
        func sessions() throws {
            let server = try UDPServer.echo()
            let ports = try (0..<2).map { _ in try Ports.free() }
            let routes = ports.enumerated().map {
                String.route("game-\($0)", $1, to: server.port, scheme: "udp4")
            }
            let weir = try WeirProcess(
                routes: routes.joined(separator: "\n"), rest: "workers: 1\nlimits: { max_sessions: 2 }")
            let players = try (0..<3).map { _ in try UDPSocket() }
            #expect(try Self.converse(players[0], ports[0]))
            #expect(try Self.converse(players[1], ports[1]))
            #expect(try !Self.converse(players[2], ports[0]))
            try weir.scrape(until: "the third is refused") { $0.sessionsRejected("game-0", "session_limit") >= 1 }
            try weir.reload(routes: routes, rest: "workers: 1\nlimits: { max_sessions: 3 }")
            #expect(try Self.converse(players[2], ports[0]))
            #expect(try !Self.converse(try UDPSocket(), ports[1]))
            for (index, player) in players.enumerated() { #expect(try Self.converse(player, ports[index % 2])) }
        }

        @Test("a reload sets limits for what is new; what is open stays, and what was counted stays counted")
        func reload() throws {
            let server = try TCPServer.echo()
            let port = try Ports.free()
            func route(_ more: String...) -> String {
                more.isEmpty ? .route("live", port, to: server.port) : .route("live", port, to: server.port, more[0])
            }
            let weir = try WeirProcess(routes: route(), rest: "workers: 2")
            let before = try #require(try Self.connect(port))
            func check(_ what: String, accepted: Int, active: Int, _ rejected: [String: Int]) throws {
                let samples = try weir.scrape(until: "\(what): active is \(active)") {
                    $0.accepted("live") == accepted && $0.active("live") == active
                }
                let found = samples.matching("weir_tcp_connections_rejected_total", ["route": "live"])
                #expect(
                    Dictionary(uniqueKeysWithValues: found.map { ($0.key.labels["reason"] ?? "", Int($0.value)) })
                        == rejected.merging(["route_limit": 0]) { given, _ in given }, "\(what)")
                #expect(accepted == active + samples.closed("live") + found.reduce(0) { $0 + Int($1.value) })
            }
            try check("no limit", accepted: 1, active: 1, [:])

            // Sessions from before the limit are not counted.
            try weir.reload(routes: [route("max_connections_per_ip: 1")], rest: "workers: 2")
            let counted = try #require(try Self.connect(port))
            #expect(try Self.connect(port) == nil)
            try check("one each", accepted: 3, active: 2, ["per_ip_limit": 1])

            try weir.reload(routes: [route("max_connections_per_ip: 2")], rest: "workers: 2")
            let second = try #require(try Self.connect(port))
            #expect(try Self.connect(port) == nil)
            try check("two each", accepted: 5, active: 3, ["per_ip_limit": 2])

            // Only the process's limits change: every route follows.
            try weir.reload(routes: [route()], rest: "workers: 2\nlimits: { rate_limit: { rate: 1/h, burst: 1 } }")
            let third = try #require(try Self.connect(port))
            #expect(try Self.connect(port) == nil)
            try check("by rate", accepted: 7, active: 4, ["per_ip_limit": 2, "rate_limit": 1])

            // The two counted ones still count, and those of the time between do not.
            try weir.reload(routes: [route("max_connections_per_ip: 2")], rest: "workers: 2")
            #expect(try Self.connect(port) == nil)
            counted.close()
            try weir.scrape(until: "it is gone") { $0.active("live") == 3 }
            let fourth = try #require(try Self.connect(port))
            try check("two each again", accepted: 9, active: 4, ["per_ip_limit": 3, "rate_limit": 1])
            for client in [before, second, third, fourth] {
                try client.send("!")
                #expect(client.receive(1).text == "!")
            }
        }
    }
}
