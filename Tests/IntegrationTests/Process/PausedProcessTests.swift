import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("When the process stands still")
    struct PausedProcessTests {
        @Test("what came while it was stopped is read before timers fire, and the time counts for no silence")
        func paused() throws {
            let (echo, datagrams) = (try TCPServer.echo(), try UDPServer { [Array("\($0.source.port)".utf8)] })
            let (tcp, udp) = (try Ports.free(), try Ports.free())
            let weir = try WeirProcess(
                routes: [
                    String.route("tcp", tcp, to: echo.port, "idle_timeout: 6s"),
                    .route(
                        "udp", udp, to: datagrams.port, scheme: "udp4", "unassured_timeout: 6s", "idle_timeout: 6s"),
                ].joined(separator: "\n"), rest: "workers: 2")
            // More than the events of one turn.
            let clients = try (0..<700).map { _ in try TestConnection(to: Endpoint(tcp)) }
            let players = try (0..<100).map { _ in try UDPSocket() }
            var sessions: [[UInt8]] = []
            for player in players {
                try player.send([1], to: Endpoint(udp))
                sessions.append(try player.receive().bytes)
            }
            for client in clients {
                try client.send("x")
                #expect(client.receive(1).text == "x")
            }
            // Half of them speak during the pause, and half only after it.
            weir.process.send(signal: SIGSTOP)
            for client in clients[..<350] { try client.send("y") }
            for player in players[..<50] { try player.send([2], to: Endpoint(udp)) }
            // The pause itself: longer than every timer.
            let pauseEnd = ContinuousClock.now + .seconds(8)
            try waitUntil("the pause is over", deadline: .seconds(60)) { ContinuousClock.now >= pauseEnd }
            weir.process.send(signal: SIGCONT)
            for client in clients[350...] { try client.send("y") }
            for player in players[50...] { try player.send([2], to: Endpoint(udp)) }
            for client in clients { #expect(client.receive(1).text == "y") }
            for (player, session) in zip(players, sessions) { #expect(try player.receive().bytes == session) }
            let samples = try weir.scrape()
            #expect(samples.closed("tcp") == 0 && samples.timeouts("tcp", "idle") == 0)
            #expect(samples.sessionsOpened("udp") == 100 && samples.sessionsClosed("udp") == 0)
            // The timers still work.
            try weir.scrape(until: "all that fell silent has ended", deadline: .seconds(60)) {
                $0.closed("tcp", "idle_timeout") == 700 && $0.sessionsClosed("udp", "idle") == 100
            }
        }
    }
}
