import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("Shutting down")
    struct ShutdownTests {
        private static func readiness(_ weir: WeirProcess) -> Int? {
            try? HTTP.get("/readyz", port: weir.exporterPort).status
        }

        private static func expectEcho(_ client: TestConnection, _ text: String) throws {
            try client.send(text)
            #expect(client.receive(text.utf8.count).text == text)
        }

        @Test("during shutdown.delay clients are told to go elsewhere and are still served; then come refusal and end")
        func delay() throws {
            let echo = try TCPServer.echo()
            let datagrams = try UDPServer.echo()
            let (tcp, udp) = (try Ports.free(), try Ports.free())
            let weir = try WeirProcess(
                routes: [
                    .route("tcp", tcp, to: echo.port),
                    .route("udp", udp, to: datagrams.port, scheme: "udp4"),
                ].joined(separator: "\n"), rest: "shutdown: { delay: 3s, drain_timeout: 20s }")
            let old = try TestConnection(to: Endpoint(tcp))
            try Self.expectEcho(old, "old")
            weir.process.send(signal: SIGTERM)
            try waitUntil("/readyz says so") { Self.readiness(weir) == 503 }
            let late = try (0..<3).map { _ in try TestConnection(to: Endpoint(tcp)) }
            for client in late { try Self.expectEcho(client, "late") }
            let stranger = try UDPSocket()
            try stranger.send([1], to: Endpoint(udp))
            #expect(try stranger.receive().bytes == [1])
            let samples = try weir.scrape()
            #expect(Self.readiness(weir) == 503)
            #expect(try HTTP.get("/healthz", port: weir.exporterPort).status == 200)
            #expect(samples.accepted("tcp") == 4 && samples.active("tcp") == 4)
            #expect(samples.sessionsOpened("udp") == 1 && samples.sessionsRejected("udp") == 0)
            for client in late {
                try client.shutdownWriting()
                #expect(client.receive().ending == .endOfStream)
            }
            try waitUntil("new clients are refused") { (try? TestConnection(to: Endpoint(tcp))) == nil }
            // The old connection, alone now, may still finish. Clients that came while the test waited are gone.
            let draining = try weir.scrape(until: "only the old one is left") {
                $0.active("tcp") == 1 && $0.sessionsClosed("udp") == 1
            }
            #expect(draining.closed("tcp", "client_eof") == draining.closed("tcp"))
            #expect(draining.sessionsClosed("udp", "drained") == 1)
            try Self.expectEcho(old, "still")
            try old.shutdownWriting()
            #expect(old.receive().ending == .endOfStream)
            #expect(try weir.process.waitForExit(deadline: .seconds(10)) == .code(0))
        }

        @Test(
            "UDP drains: unassured sessions end at once, known ones go on until five seconds of silence, new ones not")
        func datagrams() throws {
            let server = try UDPServer { [Array("\($0.source.port)".utf8)] }
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route("udp", port, to: server.port, scheme: "udp4"),
                rest: "workers: 2\nshutdown: { drain_timeout: 30s }")
            func ask(_ client: UDPSocket) throws -> [UInt8] {
                try client.send([1, 2, 3], to: Endpoint(port))
                return try client.receive().bytes
            }
            let players = try (0..<4).map { _ in try UDPSocket() }
            let sessions = try players.map { player in
                _ = try ask(player)
                return try ask(player)
            }
            for _ in 0..<3 { _ = try ask(UDPSocket()) }
            weir.process.send(signal: SIGTERM)
            try weir.scrape(until: "the unassured sessions are over") { $0.sessionsClosed("udp") == 3 }
            for newcomer in try (0..<5).map({ _ in try UDPSocket() }) { try newcomer.send([1], to: Endpoint(port)) }
            #expect(try players.map(ask) == sessions)
            let samples = try weir.scrape(until: "the newcomers are refused") { $0.sessionsRejected("udp") == 5 }
            #expect(samples.sessionsRejected("udp", "draining") == 5)
            #expect(samples.sessionsClosed("udp", "drained") == 3)
            #expect(samples.sessionsOpened("udp") == 12 && samples.sessionsActive("udp") == 4)
            #expect(samples.total("weir_udp_drops_total", ["route": "udp"]) == 5)
            #expect(
                samples["weir_udp_drops_total", ["route": "udp", "direction": "ingress", "reason": "draining"]] == 5)
            #expect(samples.bytes("udp", "ingress") == 3 * (4 * 3 + 3))
            #expect(samples.total("weir_udp_datagrams_total", ["route": "udp", "direction": "egress"]) == 15)
            #expect(samples.timeouts("udp", "drain") == 0)
            // Silence ends the rest, well before the drain time would.
            #expect(try weir.process.waitForExit(deadline: .seconds(15)) == .code(0))
            try waitUntil("each session has its line") {
                weir.logLines.count { $0.contains("session closed") && $0.contains("reason=drained") } == 7
            }
        }

        @Test("a UDP answer that is due comes, also after SIGTERM, and then the process ends")
        func answerIsDue() throws {
            let asked = Shared<[Endpoint]>([])
            let server = try UDPServer { datagram in
                asked.withLock { $0.append(datagram.source) }
                return []
            }
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route("dns", port, to: server.port, scheme: "udp4", "responses: 1"), rest: "workers: 2")
            let client = try UDPSocket()
            try client.send([1], to: Endpoint(port))
            let session = try waitFor("the question arrives") { asked.withLock { $0.first } }
            weir.process.send(signal: SIGTERM)
            try weir.scrape(until: "newcomers are refused") {
                try UDPSocket().send([2], to: Endpoint(port))
                return $0.sessionsRejected("dns", "draining") > 0
            }
            try server.send([7], to: session)
            #expect(try client.receive().bytes == [7])
            #expect(try weir.process.waitForExit(deadline: .seconds(10)) == .code(0))
            try weir.waitForLog("session closed", "route=dns", "reason=responses")
        }

        @Test("the drain time ends slow connections, half-closed ones and dials that hang, and the exit code is 0")
        func drainTimeEndsAll() throws {
            let echo = try TCPServer.echo()
            let hanging = try UnansweringServer()
            let (port, late) = (try Ports.free(), try Ports.free())
            let weir = try WeirProcess(
                routes: [
                    .route("work", port, to: echo.port), .route("dial", late, to: hanging.port, "dial_timeout: 1m"),
                ].joined(separator: "\n"), rest: "shutdown: { drain_timeout: 1s }")
            let idle = try TestConnection(to: Endpoint(port))
            try Self.expectEcho(idle, "x")
            let dialing = try TestConnection(to: Endpoint(late))
            try weir.scrape(until: "the dial is under way") { $0.active("dial") == 1 }
            #expect(try weir.stop(deadline: .seconds(10)) == .code(0))
            #expect(idle.receive().ending == .reset)
            #expect(dialing.receive().ending == .reset)
            for route in ["work", "dial"] {
                try weir.waitForLog("connection closed", "route=\(route)", "reason=drained")
            }
        }

        @Test("a second signal ends everything at once, with another exit code", arguments: [SIGTERM, SIGINT])
        func secondSignal(signal: Int32) throws {
            let echo = try TCPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route("stuck", port, to: echo.port), rest: "shutdown: { delay: 1h, drain_timeout: 1h }")
            let client = try TestConnection(to: Endpoint(port))
            try Self.expectEcho(client, "x")
            weir.process.send(signal: SIGTERM)
            try waitUntil("it ends") { Self.readiness(weir) == 503 }
            try Self.expectEcho(client, "y")
            weir.process.send(signal: signal)
            #expect(try weir.process.waitForExit(deadline: .seconds(10)) == .code(1))
            #expect(client.receive().ending != .timedOut)
            #expect(throws: SystemFailure.self) { try TestConnection(to: Endpoint(port)) }
        }

        @Test("a reload that is asked for while it ends changes nothing")
        func reloadWhileEnding() throws {
            let echo = try TCPServer.echo()
            let (port, other) = (try Ports.free(), try Ports.free())
            let weir = try WeirProcess(
                routes: .route("work", port, to: echo.port), rest: "shutdown: { drain_timeout: 20s }")
            let client = try TestConnection(to: Endpoint(port))
            try Self.expectEcho(client, "x")
            weir.process.send(signal: SIGTERM)
            try waitUntil("new clients are refused") { (try? TestConnection(to: Endpoint(port))) == nil }
            try weir.replaceConfiguration(routes: .route("new", other, to: echo.port))
            weir.process.send(signal: SIGHUP)
            try Self.expectEcho(client, "y")
            #expect(throws: SystemFailure.self) { try TestConnection(to: Endpoint(other)) }
            #expect(try weir.scrape().reloads("success") == 0)
            client.close()
            #expect(try weir.process.waitForExit(deadline: .seconds(10)) == .code(0))
        }
    }
}
