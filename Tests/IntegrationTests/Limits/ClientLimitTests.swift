import Foundation
import Synchronization
import TestSupport
import Testing

extension Integration {
    @Suite("Limits per client", .timeLimit(.minutes(2)))
    struct ClientLimitTests {
        /// Whether a client gets an answer through the route, and its connection, which stays open.
        private static func connect(_ port: UInt16, from host: String? = nil) throws -> TestConnection? {
            // Where it is refused the reset may come before the question, or before the kernel tells of the connection.
            guard let client = try? TestConnection(to: Endpoint(port), from: host.map { Endpoint($0, 0) }),
                (try? client.send("?")) != nil
            else { return nil }
            return client.receive(1).text == "?" ? client : nil
        }

        private static func ask(_ client: UDPSocket, _ port: UInt16) throws -> Bool {
            try client.send([7], to: Endpoint(port))
            return client.isReadable(within: 1_000) ? try client.receive().bytes == [7] : false
        }

        private static func rejected(_ samples: Samples, _ route: String, _ reason: String) -> Int {
            samples.total("weir_tcp_connections_rejected_total", ["route": route, "reason": reason])
                + samples.sessionsRejected(route, reason)
        }

        @Test("a client has its number of connections over all workers, and another client has its own")
        func perClient() throws {
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route("few", port, to: server.port, "max_connections_per_ip: 3"), rest: "workers: 2")
            #expect(
                try weir.scrape()["weir_tcp_connections_rejected_total", ["route": "few", "reason": "per_ip_limit"]]
                    == 0)
            var clients = try (0..<3).map { _ in try #require(try Self.connect(port)) }
            #expect(try Self.connect(port) == nil)
            #expect(try Self.connect(port, from: "127.0.0.2") != nil)
            try weir.scrape(until: "the refusal is counted") { Self.rejected($0, "few", "per_ip_limit") == 1 }
            clients.removeLast().close()
            try weir.scrape(until: "two are left") { $0.active("few") == 2 }
            clients.append(try #require(try Self.connect(port)))
            #expect(try Self.connect(port) == nil)
        }

        @Test("whichever way connections end under load, each slot is released once")
        func everyEnding() throws {
            let server = try TCPServer.echo()
            let (port, dead) = (try Ports.free(), try Ports.free())
            let limit = 4
            let line = "max_connections_per_ip: \(limit)"
            let weir = try WeirProcess(
                routes: [
                    .route("live", port, to: server.port, line, "max_connections: 3"),
                    .route("dead", dead, to: try Ports.free(), line),
                ].joined(separator: "\n"), rest: "workers: 2\nlog: { level: error }")
            let done = (0..<6).map { index in
                let semaphore = TestSemaphore()
                Thread {
                    for round in 0..<150 {
                        let client = try? TestConnection(to: Endpoint(index < 4 ? port : dead))
                        try? client?.send("x")
                        if round % 3 == 0 { try? client?.reset() } else { _ = client?.receive(1) }
                    }
                    semaphore.signal()
                }.start()
                return semaphore
            }
            done.forEach { $0.wait() }
            let samples = try weir.scrape(until: "all are gone") { $0.active("live") == 0 && $0.active("dead") == 0 }
            #expect(Self.rejected(samples, "live", "route_limit") > 0)
            #expect(samples.closed("dead") + Self.rejected(samples, "dead", "per_ip_limit") == samples.accepted("dead"))
            // A slot that was lost would be missing now; one that was released twice would be there in excess.
            let clients = try (0..<3).map { _ in try #require(try Self.connect(port)) }
            #expect(try Self.connect(port) == nil)
            try weir.reload(routes: [.route("live", port, to: server.port, line)], rest: "workers: 2")
            #expect(try Self.connect(port) != nil)
            try weir.scrape(until: "three are left") { $0.active("live") == 3 }
            let fourth = try #require(try Self.connect(port))
            #expect(try Self.connect(port) == nil)
            withExtendedLifetime((clients, fourth)) {}
        }

        @Test("new connections come as fast as the rate allows, for each client by itself")
        func rate() throws {
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route("slow", port, to: server.port, "rate_limit: { rate: 1/h, burst: 5 }"), rest: "workers: 2"
            )
            let passed = try (0..<9).count { _ in try Self.connect(port) != nil }
            #expect(passed == 5)
            #expect(try Self.connect(port, from: "127.0.0.2") != nil)
            let samples = try weir.scrape(until: "the refusals are counted") {
                Self.rejected($0, "slow", "rate_limit") == 4
            }
            #expect(samples.accepted("slow") == 10)
            #expect(samples.matching("weir_tcp_connections_rejected_total", ["reason": "per_ip_limit"]).isEmpty)
        }

        @Test("UDP sessions are held to the same limits, and their datagrams dropped by name")
        func sessions() throws {
            let server = try UDPServer.echo()
            let (few, slow) = (try Ports.free(), try Ports.free())
            let weir = try WeirProcess(
                routes: [
                    .route("few", few, to: server.port, scheme: "udp4", "max_connections_per_ip: 2"),
                    .route("slow", slow, to: server.port, scheme: "udp4", "rate_limit: { rate: 1/h, burst: 3 }"),
                ].joined(separator: "\n"))
            let clients = try (0..<4).map { _ in try UDPSocket() }
            #expect(try clients.map { try Self.ask($0, few) } == [true, true, false, false])
            #expect(try clients.map { try Self.ask($0, slow) } == [true, true, true, false])
            // An existing session is not delayed.
            #expect(try Self.ask(clients[0], few) && Self.ask(clients[0], slow))
            let neighbor = try UDPSocket(bindingTo: Endpoint("127.0.0.2", 0))
            #expect(try Self.ask(neighbor, few) && Self.ask(neighbor, slow))
            let samples = try weir.scrape(until: "the refusals are counted") {
                Self.rejected($0, "few", "per_ip_limit") == 2 && Self.rejected($0, "slow", "rate_limit") == 1
            }
            #expect(samples.total("weir_udp_drops_total", ["route": "few", "reason": "session_limit"]) == 2)
            #expect(samples.total("weir_udp_drops_total", ["route": "slow", "reason": "rate_limit"]) == 1)
            #expect(samples.matching("weir_udp_drops_total", ["route": "few", "reason": "rate_limit"]).isEmpty)
        }

        @Test("what one limit refuses takes nothing of the others")
        func order() throws {
            let server = try TCPServer.echo()
            let (port, full) = (try Ports.free(), try Ports.free())
            let weir = try WeirProcess(
                routes: [
                    .route(
                        "both", port, to: server.port, "max_connections_per_ip: 1",
                        "rate_limit: { rate: 1/h, burst: 2 }"),
                    .route("full", full, to: server.port, "max_connections_per_ip: 2", "max_connections: 1"),
                ].joined(separator: "\n"))
            for _ in 0..<2 {
                let client = try #require(try Self.connect(port))
                // Refused for their number: they take no token.
                for _ in 0..<3 { #expect(try Self.connect(port) == nil) }
                client.close()
                try weir.scrape(until: "it is gone") { $0.active("both") == 0 }
            }
            // Refused for their rate: they take no slot.
            for _ in 0..<3 { #expect(try Self.connect(port) == nil) }
            var samples = try weir.scrape(until: "all refusals are counted") {
                Self.rejected($0, "both", "rate_limit") == 3
            }
            #expect(Self.rejected(samples, "both", "per_ip_limit") == 6)
            // Refused by the route's limit, which comes last: they take no slot either.
            let client = try #require(try Self.connect(full))
            for _ in 0..<4 { #expect(try Self.connect(full) == nil) }
            samples = try weir.scrape(until: "all refusals are counted") {
                Self.rejected($0, "full", "route_limit") == 4
            }
            #expect(Self.rejected(samples, "full", "per_ip_limit") == 0)
            client.close()
        }
    }
}
