import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("Routes that a reload removes")
    struct ReloadDrainTests {
        private static func ask(_ client: UDPSocket, _ port: UInt16, times: Int = 1) throws -> [UInt8] {
            var answer: [UInt8] = []
            for _ in 0..<times {
                try client.send([1], to: Endpoint(port))
                answer = try client.receive().bytes
            }
            return answer
        }

        @Test("connections of a removed route may end by themselves; after the drain time the rest ends as drained")
        func removedTCP() throws {
            let echo = try TCPServer.echo()
            let (port, other) = (try Ports.free(), try Ports.free())
            let stays = String.route("stays", other, to: echo.port)
            let rest = "shutdown: { drain_timeout: 2s }"
            let weir = try WeirProcess(
                routes: [stays, .route("gone", port, to: echo.port)].joined(separator: "\n"), rest: rest)
            let clients = try (0..<5).map { _ in
                let client = try TestConnection(to: Endpoint(port))
                try client.send("a")
                #expect(client.receive(1).text == "a")
                return client
            }
            try weir.reload(routes: [stays], rest: rest)
            #expect(throws: SystemFailure.self) { try TestConnection(to: Endpoint(port)) }
            for client in clients {
                try client.send("b")
                #expect(client.receive(1).text == "b")
            }
            for client in clients[..<2] {
                try client.shutdownWriting()
                #expect(client.receive().ending == .endOfStream)
            }
            let samples = try weir.scrapeWhenIdle("gone")
            #expect(samples.accepted("gone") == 5 && samples.closed("gone") == 5)
            #expect(samples.closed("gone", "client_eof") == 2)
            #expect(samples.closed("gone", "drained") == 3)
            #expect(samples.timeouts("gone", "drain") == 3)
            #expect(samples.bytes("gone", "ingress") == 10 && samples.bytes("gone", "egress") == 10)
            for client in clients[2...] { #expect(client.receive().ending == .reset) }
        }

        @Test("an answer that is due on a removed route comes")
        func answerIsDue() throws {
            let asked = Shared<[Endpoint]>([])
            let server = try UDPServer { datagram in
                asked.withLock { $0.append(datagram.source) }
                return []
            }
            let (port, other) = (try Ports.free(), try Ports.free())
            let stays = String.route("stays", other, to: server.port, scheme: "udp4")
            let weir = try WeirProcess(
                routes: [stays, .route("gone", port, to: server.port, scheme: "udp4")].joined(separator: "\n"))
            let client = try UDPSocket()
            try client.send([1], to: Endpoint(port))
            let session = try waitFor("the question arrives") { asked.withLock { $0.first } }
            try weir.reload(routes: [stays])
            try weir.scrape(until: "newcomers are refused") {
                try UDPSocket().send([2], to: Endpoint(port))
                return $0.sessionsRejected("gone", "draining") > 0
            }
            try server.send([7], to: session)
            #expect(try client.receive().bytes == [7])
            try weir.scrape(until: "the session is over") { $0.sessionsClosed("gone", "drained") == 1 }
        }

        @Test("of a removed route unassured sessions end at once, others go on until the drain time is over")
        func removedUDP() throws {
            let echo = try UDPServer.echo()
            let (port, other) = (try Ports.free(), try Ports.free())
            let stays = String.route("stays", other, to: echo.port, scheme: "udp4")
            let rest = "shutdown: { drain_timeout: 2s }"
            let weir = try WeirProcess(
                routes: [stays, .route("gone", port, to: echo.port, scheme: "udp4")].joined(separator: "\n"),
                rest: rest)
            let player = try UDPSocket()
            _ = try Self.ask(player, port, times: 3)
            for _ in 0..<3 { _ = try Self.ask(UDPSocket(), port) }
            try weir.reload(routes: [stays], rest: rest)
            try weir.scrape(until: "the unassured sessions are over") { $0.sessionsClosed("gone", "drained") == 3 }
            _ = try Self.ask(player, port)
            try UDPSocket().send([1], to: Endpoint(port))
            try weir.scrape(until: "the newcomer is refused") { $0.sessionsRejected("gone", "draining") == 1 }
            var spoken = 4
            let samples = try weir.scrape(until: "the drain time is over, though the player talks on") { samples in
                try player.send([1], to: Endpoint(port))
                spoken += 1
                return samples.sessionsActive("gone") == 0
            }
            // Until all workers are done the socket is open, and a datagram after the end of the session belongs to a
            // new one.
            let late = samples.sessionsRejected("gone", "draining") - 1
            #expect(samples.sessionsOpened("gone") == 5 + late && samples.sessionsClosed("gone") == 4)
            #expect(samples.sessionsClosed("gone", "drained") == 4)
            #expect(samples.timeouts("gone", "drain") == 1)
            #expect(
                samples["weir_udp_drops_total", ["route": "gone", "direction": "ingress", "reason": "draining"]]
                    == Double(1 + late))
            #expect(samples.bytes("gone", "ingress") <= spoken + 3)
        }

        @Test("a TCP address that comes back while its old connections drain is served at once, and its counters go on")
        func tcpComesBack() throws {
            let echo = try TCPServer.echo()
            let (port, other) = (try Ports.free(), try Ports.free())
            let stays = String.route("stays", other, to: echo.port)
            let back = String.route("back", port, to: echo.port)
            let weir = try WeirProcess(routes: [stays, back].joined(separator: "\n"))
            let client = try TestConnection(to: Endpoint(port))
            for routes in [[stays, back], [stays], [stays, back]] {
                let samples = try weir.reload(routes: routes)
                #expect(samples.reloads("failure") == 0)
                try client.send("x")
                #expect(client.receive(1).text == "x")
            }
            let newClient = try TestConnection(to: Endpoint(port))
            try newClient.send("y")
            #expect(newClient.receive(1).text == "y")
            let samples = try weir.scrape()
            #expect(samples.accepted("back") == 2 && samples.active("back") == 2)
            #expect(samples.bytes("back", "ingress") == 4 && samples.bytes("back", "egress") == 4)
        }

        @Test("a UDP address that comes back while its old sessions drain is served at once, through the same sessions")
        func udpComesBack() throws {
            // Each answer names the port that the question came from, and so the session.
            let server = try UDPServer { [Array("\($0.source.port)".utf8)] }
            let (port, other) = (try Ports.free(), try Ports.free())
            let stays = String.route("stays", other, to: server.port, scheme: "udp4")
            let back = String.route("back", port, to: server.port, scheme: "udp4")
            let weir = try WeirProcess(routes: [stays, back].joined(separator: "\n"))
            let player = try UDPSocket()
            let session = try Self.ask(player, port, times: 2)
            try weir.reload(routes: [stays])
            #expect(try Self.ask(player, port) == session)
            try weir.replaceConfiguration(routes: [stays, back].joined(separator: "\n"))
            weir.process.send(signal: SIGHUP)
            let samples = try weir.scrape(until: "the second reload is over") {
                $0.reloads("success") + $0.reloads("failure") == 2
            }
            #expect(samples.reloads("success") == 2)
            #expect(try Self.ask(player, port) == session)
            #expect(try Self.ask(UDPSocket(), port) != session)
            let after = try weir.scrape()
            #expect(after.sessionsOpened("back") == 2 && after.sessionsActive("back") == 2)
            #expect(after.sessionsRejected("back") == 0)
        }

        @Test("a shutdown also bounds what a route removed before was still allowed")
        func shutdownBoundsRemoved() throws {
            let echo = try TCPServer.echo()
            let (port, other) = (try Ports.free(), try Ports.free())
            let stays = String.route("stays", other, to: echo.port)
            let weir = try WeirProcess(
                routes: [stays, .route("gone", port, to: echo.port)].joined(separator: "\n"),
                rest: "shutdown: { drain_timeout: 1h }")
            let client = try TestConnection(to: Endpoint(port))
            try client.send("a")
            #expect(client.receive(1).text == "a")
            try weir.reload(routes: [stays], rest: "shutdown: { drain_timeout: 1h }")
            try weir.reload(routes: [stays], rest: "shutdown: { drain_timeout: 1s }")
            try client.send("b")
            #expect(client.receive(1).text == "b")
            #expect(try weir.stop(deadline: .seconds(8)) == .code(0))
            #expect(client.receive().ending == .reset)
            try weir.waitForLog("connection closed", "route=gone", "reason=drained")
        }
    }
}
