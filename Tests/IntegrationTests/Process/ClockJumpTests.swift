import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("When the time of day is set")
    struct ClockJumpTests {
        private static let day = 86_400

        @Test("a jump of the wall clock fires no timer early and holds none up", arguments: [400, -400])
        func jump(days: Int) throws {
            let clock = try ShiftedClock()
            let (echo, datagrams) = (try TCPServer.echo(), try UDPServer.echo())
            let silent = try UnansweringServer()
            let ports = try (0..<4).map { _ in try Ports.free() }
            let weir = try WeirProcess(
                routes: [
                    String.route("idle", ports[0], to: echo.port, "idle_timeout: 3s"),
                    .route("long", ports[1], to: echo.port, "idle_timeout: 24h"),
                    .route("hang", ports[2], to: silent.port, "dial_timeout: 1s"),
                    .route(
                        "udp", ports[3], to: datagrams.port, scheme: "udp4", "unassured_timeout: 3s",
                        "idle_timeout: 3s"),
                ].joined(separator: "\n"), environment: clock.environment)
            let (idle, long) = (try TestConnection(to: Endpoint(ports[0])), try TestConnection(to: Endpoint(ports[1])))
            let datagram = try UDPSocket()
            func use() throws {
                for client in [idle, long] {
                    try client.send("?")
                    #expect(client.receive(1).text == "?")
                }
                try datagram.send(Array("?".utf8), to: Endpoint(ports[3]))
                #expect(try datagram.receive().bytes == Array("?".utf8))
            }
            try use()
            try clock.jump(toSeconds: days * Self.day)
            // The process sees the jump: its next log lines have another year.
            let hanging = try TestConnection(to: Endpoint(ports[2]))
            let thisYear = String(Date().formatted(.iso8601.year()))
            try waitUntil("the log has jumped") {
                weir.logLines.contains { $0.contains("hang") && !$0.contains("\(thisYear)-") }
            }
            // Everything still lives, and the same sessions go on.
            try use()
            let jumped = try weir.scrape()
            #expect(jumped.active("idle") == 1)
            #expect(jumped.active("long") == 1)
            #expect(jumped.total("weir_udp_sessions_opened_total") == 1)
            #expect(try HTTP.get("/healthz", port: weir.exporterPort).status == 200)
            #expect(try HTTP.get("/readyz", port: weir.exporterPort).status == 200)

            // Each timer still fires, once.
            #expect(hanging.receive().ending == .reset)
            #expect(idle.receive().ending == .reset)
            // Counted after the reset, so its receiver may be quicker.
            let samples = try weir.scrape(until: "the UDP session and both connections are over") {
                $0.total("weir_udp_sessions_closed_total", ["route": "udp", "reason": "idle"]) == 1
                    && $0.active("idle") == 0 && $0.active("hang") == 0
            }
            #expect(samples.closed("idle", "idle_timeout") == 1)
            #expect(samples.total("weir_timeouts_total", ["route": "idle", "kind": "idle"]) == 1)
            #expect(samples.total("weir_timeouts_total", ["route": "hang", "kind": "dial"]) == 1)
            #expect(samples.total("weir_timeouts_total") == 2)
            #expect(samples.active("long") == 1)
            // A duration is not a difference of two wall clocks.
            let longest = try #require(
                samples["weir_tcp_connection_duration_seconds_bucket", ["route": "idle", "le": "60.0"]])
            #expect(longest == 1)
            try long.send("!")
            #expect(long.receive(1).text == "!")
        }
    }
}
