import NetworkTypes
import TestSupport
import Testing
import WeirHealth

@testable import WeirConfiguration

@Suite("Health checks of a route") struct HealthSettingsTests {
    private func health(_ line: String, scheme: String = "tcp") throws -> HealthSettings? {
        try #require(try load(route("health: \(line)", scheme: scheme)).routes.first).health
    }

    @Test("A word, a mapping, and every kind with its own keys")
    func kinds() throws {
        #expect(try health("off") == nil)
        #expect(try health("redis")?.check == .redis)
        let page = try #require(
            try health("{check: http, path: /ready, port: 8008, status: [200, 300-302], timeout: 1s}"))
        #expect(page.statuses == [200...200, 300...302] && page.port == 8008 && page.schedule.timeout == .seconds(1))
        guard case .http(let check) = try page.check(over: .tcp).kind else { return #expect(Bool(false), "\(page)") }
        #expect(check.path == "/ready")
        let sent = try #require(try health("{check: send, send: \"PING\\r\\n\", expect_hex: 2b504f4e47}"))
        #expect(sent.send == Array("PING\r\n".utf8) && sent.expect == Array("+PONG".utf8))
        #expect(try health("{check: dns, name: example.net, type: soa}", scheme: "udp")?.name == "example.net")
        #expect(try health("{check: tcp, port: 22}", scheme: "udp")?.port == 22)
        #expect(try health("{}")?.schedule == CheckSchedule())
    }

    @Test(
        "What is written is read again as the same",
        arguments: [
            "{check: http, path: /ready, method: HEAD, host: db.example.net, port: 8008, status: [200-299, 403]}",
            "{check: send, send_hex: 00ff, expect: \"+PONG\\r\\n\"}", "{check: postgres, user: app, database: main}",
            "{interval: 10s, timeout: 3s, fall: 2, rise: 5}",
        ])
    func roundTrip(line: String) throws {
        let settings = try #require(try health(line))
        let text = try #require(Notation<HealthSettings?>.health(over: .tcp).text(settings))
        #expect(try health(text) == settings, "\(text)")
    }

    @Test(
        "Every mistake is told with its location",
        arguments: [
            (
                "tcp", "{check: http, user: a}",
                "5:27: error: `health`: `user` is for `check: postgres`, and the check is `http`"
            ),
            (
                "udp", "postgres",
                "5:13: error: `health`: the check `postgres` is one of TCP, and the route carries UDP; did you mean "
                    + "`check: send`?"
            ),
            (
                "udp", "{check: tcp}",
                "5:21: error: `health`: the check `tcp` is one of TCP, and the route carries UDP; a `port` for it, or "
                    + "`check: send`, is expected"
            ),
            (
                "tcp", "{check: http, path: ready}",
                "5:33: error: `path`: expected a path that begins with `/` and has no spaces, found `ready`"
            ),
            (
                "tcp", "{check: http, status: 2xx}",
                "5:35: error: `status`: expected a status such as `200` or `200-299`, found `2xx`"
            ),
            (
                "tcp", "{check: send, expect: [a, b]}",
                "5:35: error: `expect`: expected a text such as `\"PING\\r\\n\"`, found a list"
            ),
            (
                "tcp", "{check: send, send: a, send_hex: ff}",
                "5:36: error: `health`: `send_hex` stands beside `send`, which says the same"
            ),
            (
                "tcp", "{check: ping}",
                "5:21: error: `check`: expected one of `tcp`, `tls`, `dns`, `postgres`, `redis`, `http`, `send`, found `ping`"
            ),
        ])
    func mistakes(scheme: String, line: String, expected: String) {
        let found = errors(route("health: \(line)", scheme: scheme))
        #expect(found.contains("weir.yml:\(expected)"), "\(found)")
    }
}
