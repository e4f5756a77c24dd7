import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("UDP sessions under pressure")
    struct UDPPressureTests {
        /// Each source has either been seen as a session, or its datagram is among the counted drops; one that was
        /// rejected is both.
        private static func accountedSources(_ samples: Samples) -> Int {
            let opened = samples.total("weir_udp_sessions_opened_total", ["route": "game"])
            let rejected = samples.total("weir_udp_sessions_rejected_total", ["route": "game"])
            let dropped = samples.total("weir_udp_drops_total", ["route": "game", "direction": "ingress"])
            return Int(opened + dropped - rejected)
        }

        /// Sends twice, with a reply in between, which makes the session assured; returns its upstream port.
        private static func assure(_ client: UDPSocket, through port: UInt16) throws -> [UInt8] {
            for _ in 0..<2 {
                try client.send(Array("assure".utf8), to: Endpoint(port))
                _ = try client.receive()
            }
            return try ask(client, through: port)
        }

        private static func ask(_ client: UDPSocket, through port: UInt16) throws -> [UInt8] {
            // Under a flood the kernel may drop a question; a living session answers one of the next.
            for _ in 0..<8 {
                try client.send(Array("port?".utf8), to: Endpoint(port))
                if client.isReadable(within: 1_000) { break }
            }
            return try client.receive().bytes
        }

        /// Answers with the port that the question came from: equal answers mean the same session.
        private static func portServer() throws -> UDPServer {
            try UDPServer { datagram in [Array("\(datagram.source.port)".utf8)] }
        }

        @Test("a resolver's new port per query stays within the table, and an assured session lives on")
        func resolverPattern() throws {
            let server = try Self.portServer()
            let port = try Ports.free()
            let limit = 500
            let weir = try WeirProcess(
                routes: .route("dns", port, to: server.port, scheme: "udp4", "max_sessions: \(limit)"))
            let player = try UDPSocket()
            let identity = try Self.assure(player, through: port)
            let queries = 5_000
            for query in 0..<queries {
                // Chosen here, because the kernel would give the same port twice now and then.
                let source = Endpoint("127.66.2.\(1 + query / 1_000)", UInt16(2_000 + query % 1_000))
                let resolver = try UDPSocket(bindingTo: source, buffer: 65_536)
                try resolver.send(Array("query \(query)".utf8), to: Endpoint(port))
                // Each query is answered, whether or not the table is full.
                #expect(try !resolver.receive().bytes.isEmpty)
                if query % 500 == 0 {
                    #expect(try Self.ask(player, through: port) == identity)
                    #expect(try weir.scrape().total("weir_udp_sessions_active", ["route": "dns"]) <= limit)
                }
            }
            #expect(try Self.ask(player, through: port) == identity)
            let samples = try weir.scrape()
            #expect(samples.total("weir_udp_sessions_opened_total", ["route": "dns"]) == queries + 1)
            #expect(
                samples.total("weir_udp_sessions_closed_total", ["route": "dns", "reason": "evicted"])
                    == queries + 1 - limit)
            #expect(samples.total("weir_udp_sessions_active", ["route": "dns"]) == limit)
            #expect(weir.process.descriptorCount < limit + 200)
        }

        @Test("when every session is assured the newcomer is dropped, and counted")
        func fullOfAssuredSessions() throws {
            let server = try Self.portServer()
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route("game", port, to: server.port, scheme: "udp4", "max_sessions: 4"))
            let players = try (0..<4).map { _ in try UDPSocket() }
            let identities = try players.map { try Self.assure($0, through: port) }
            let newcomer = try UDPSocket()
            try newcomer.send(Array("let me in".utf8), to: Endpoint(port))
            let samples = try weir.scrape(until: "the newcomer is dropped") {
                $0.total("weir_udp_drops_total", ["route": "game", "reason": "session_limit"]) == 1
            }
            #expect(
                samples.total("weir_udp_sessions_rejected_total", ["route": "game", "reason": "session_limit"]) == 1)
            #expect(samples.total("weir_udp_sessions_active", ["route": "game"]) == 4)
            #expect(try players.map { try Self.ask($0, through: port) } == identities)
            #expect(!newcomer.isReadable())
        }

        @Test("a flood from 20,000 sources: descriptors and memory stay bounded, the assured session lives on")
        func flood() throws {
            // The server does not answer the flood: its sessions stay unassured.
            let server = try UDPServer { datagram in
                datagram.bytes.first == UInt8(ascii: "f") ? [] : [Array("\(datagram.source.port)".utf8)]
            }
            let port = try Ports.free()
            let limit = 2_000
            let weir = try WeirProcess(
                routes: .route("game", port, to: server.port, scheme: "udp4", "max_sessions: \(limit)"))
            let player = try UDPSocket()
            let identity = try Self.assure(player, through: port)
            let memoryBefore = weir.process.residentBytes
            var sent = 0
            var highestDescriptors = 0
            for address in 1...20 {
                for sourcePort in UInt16(2_000)..<3_000 {
                    let source = try UDPSocket(bindingTo: Endpoint("127.66.1.\(address)", sourcePort), buffer: 4_096)
                    try source.send(Array("flood".utf8), to: Endpoint(port))
                    sent += 1
                }
                #expect(try Self.ask(player, through: port) == identity)
                highestDescriptors = max(highestDescriptors, weir.process.descriptorCount)
            }
            #expect(sent == 20_000)
            #expect(try Self.ask(player, through: port) == identity)
            // What the kernel dropped before Weir could read it is counted with a moment's delay.
            let samples = try waitFor("every datagram of the flood is accounted for") {
                let samples = try weir.scrape()
                return Self.accountedSources(samples) == sent + 1 ? samples : nil
            }
            #expect(samples.total("weir_udp_sessions_active", ["route": "game"]) <= limit)
            #expect(highestDescriptors < limit + 200)
            #expect(weir.process.residentBytes < memoryBefore + 64 << 20)
            let opened = samples.total("weir_udp_sessions_opened_total", ["route": "game"])
            let rejected = samples.total("weir_udp_sessions_rejected_total", ["route": "game"])
            let closed = samples.total("weir_udp_sessions_closed_total", ["route": "game"])
            let active = samples.total("weir_udp_sessions_active", ["route": "game"])
            #expect(opened == closed + active + rejected)
        }

        @Test("a session ends after the configured number of responses, and unassured ones time out")
        func sessionEnds() throws {
            let server = try Self.portServer()
            let oneShot = try Ports.free()
            let short = try Ports.free()
            let weir = try WeirProcess(
                routes: [
                    .route("one-shot", oneShot, to: server.port, scheme: "udp4", "responses: 1"),
                    .route("short", short, to: server.port, scheme: "udp4", "unassured_timeout: 1s"),
                ].joined(separator: "\n"))
            let client = try UDPSocket()
            _ = try Self.ask(client, through: oneShot)
            _ = try Self.ask(client, through: short)
            for (route, reason) in [("one-shot", "responses"), ("short", "idle")] {
                let samples = try weir.scrape(until: "the session of \(route) is over") {
                    $0.total("weir_udp_sessions_closed_total", ["route": route, "reason": reason]) == 1
                }
                #expect(samples.total("weir_udp_sessions_active", ["route": route]) == 0)
                #expect(samples.total("weir_udp_sessions_unanswered_total", ["route": route]) == 0)
            }
        }
    }
}
