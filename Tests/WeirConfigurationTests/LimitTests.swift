import TestSupport
import Testing

@testable import WeirConfiguration

struct LimitTests {
    private func limits(_ line: String, scheme: String = "tcp") throws -> TrafficLimits {
        try #require(try load(route(line, scheme: scheme)).routes.first).limits
    }

    @Test(
        "A rate is read with its period and burst",
        arguments: [
            ("10/s", RateLimit(count: 10)), ("10", RateLimit(count: 10)),
            ("600/m", RateLimit(count: 600, period: .seconds(60), burst: 600)),
            ("5/h", RateLimit(count: 5, period: .seconds(3600), burst: 5)),
            ("{rate: 10/s}", RateLimit(count: 10, burst: 10)),
            ("{rate: 10/s, burst: 25}", RateLimit(count: 10, burst: 25)),
            ("{burst: 1, rate: 1000000}", RateLimit(count: 1_000_000, burst: 1)),
        ])
    func rates(text: String, expected: RateLimit) throws {
        for scheme in ["tcp", "udp"] {
            #expect(try limits("rate_limit: \(text)", scheme: scheme).rateLimit == expected)
        }
        #expect(try load("limits: {rate_limit: \(text)}\n" + route()).limits.traffic.rateLimit == expected)
    }

    @Test(
        "Bytes a second are read in decimal and binary units",
        arguments: [
            ("1000", 1_000), ("1KB/s", 1_000), ("10MB/s", 10_000_000), ("10MiB/s", 10_485_760), ("512KiB", 524_288),
            ("1.5MB/s", 1_500_000), ("0.5KiB/s", 0), ("2GiB", 2_147_483_648), ("64kB", 64_000),
            ("100GB/s", 100_000_000_000),
        ])
    func bytes(text: String, expected: Int) throws {
        guard expected > 0 else {
            #expect(errors(route("bandwidth: {ingress: \(text)}")).count == 1)
            return
        }
        let found = try limits("bandwidth: {ingress: \(text), per_connection: {egress: \(text)}}").bandwidth
        #expect(found.total == ByteRates(ingress: expected))
        #expect(found.perConnection == ByteRates(egress: expected))
    }

    @Test("What defaults limit, a route can turn off, for each limit by itself")
    func off() throws {
        let text = """
            defaults:
              max_connections_per_ip: 4
              rate_limit: 10/s
              bandwidth: {ingress: 1MB}
              pre_dial: {exec: [may-pass]}
            routes:
              a: {scheme: tcp, port: 1:2}
              b: {scheme: udp, port: 1:2, max_connections_per_ip: off, rate_limit: off, bandwidth: off, pre_dial: off}
            """
        let routes = try load(text).routes
        #expect(
            routes[0].limits
                == TrafficLimits(
                    maxConnectionsPerIP: 4, rateLimit: RateLimit(count: 10),
                    bandwidth: Bandwidth(total: ByteRates(ingress: 1_000_000))))
        #expect(routes[0].preDial == PreDialProgram(command: ["may-pass"]))
        #expect(routes[1].limits == TrafficLimits())
        #expect(routes[1].preDial == nil)
    }

    @Test("The limits of the process stand beside its connections")
    func process() throws {
        let text = "limits: {max_connections: 100, max_sessions: 50, max_connections_per_ip: 3}\n" + route()
        let limits = try load(text).limits
        #expect(limits.maxConnections == .fixed(100))
        #expect(limits.maxSessions == 50)
        #expect(limits.traffic == TrafficLimits(maxConnectionsPerIP: 3))
    }

    @Test("A program before the dial has arguments and a bound, on TCP and UDP")
    func preDial() throws {
        for scheme in ["tcp", "udp"] {
            let route = try #require(
                try load(
                    route("pre_dial: {exec: [/bin/x, -a, ''], concurrency: 3}", "pre_dial_timeout: 2s", scheme: scheme)
                ).routes.first)
            #expect(route.preDial == PreDialProgram(command: ["/bin/x", "-a", ""], concurrency: 3))
            #expect((route.tcp?.preDialTimeout ?? route.udp?.preDialTimeout) == .seconds(2))
        }
    }

    @Test("Routes that differ in a limit or a program are not the same")
    func equality() throws {
        let plain = try #require(try load(route()).routes.first)
        for line in [
            "rate_limit: 1/s", "bandwidth: {egress: 1MB}", "max_connections_per_ip: 1", "pre_dial: {exec: [a]}",
        ] {
            #expect(try #require(try load(route(line)).routes.first) != plain, "\(line)")
        }
    }

    @Test(
        "Every wrong limit is reported with its location, what was found and what was expected",
        arguments: [
            (
                "max_connections_per_ip: 0",
                "weir.yml:5:29: error: `max_connections_per_ip`: expected a number from 1 to 65535, or `off`, found `0`"
            ),
            (
                "rate_limit: 10r/s",
                "weir.yml:5:17: error: `rate_limit`: expected a rate such as `10/s`, `600/m` or `5/h`, found `10r/s`; "
                    + "did you mean `10/s`?"
            ),
            (
                "rate_limit: 10/d",
                "weir.yml:5:17: error: `rate_limit`: expected a rate such as `10/s`, `600/m` or `5/h`, found `10/d`"
            ),
            (
                "rate_limit: {rate: 0/s}",
                "weir.yml:5:24: error: `rate`: expected a rate such as `10/s`, `600/m` or `5/h`, 1 to 1000000 in that "
                    + "time, found `0/s`"
            ),
            (
                "rate_limit: {burst: 5}",
                "weir.yml:5:17: error: `rate_limit`: expected a `rate` such as `10/s`, found none"
            ),
            (
                "rate_limit: {rat: 5/s}",
                "weir.yml:5:18: error: `rate_limit`: unknown key `rat`; did you mean `rate`?"
            ),
            (
                "bandwidth: 10MB",
                "weir.yml:5:16: error: `bandwidth`: expected `off` or a mapping such as `{ingress: 10MB/s, egress: "
                    + "10MB/s}`, found `10MB`"
            ),
            (
                "bandwidth: {ingress: 100Mbit/s}",
                "weir.yml:5:26: error: `ingress`: expected bytes a second such as `10MB/s` or `512KiB/s`, found "
                    + "`100Mbit/s`: Weir counts bytes, and a byte is 8 bits"
            ),
            (
                "bandwidth: {egress: 10m}",
                "weir.yml:5:25: error: `egress`: expected bytes a second such as `10MB/s` or `512KiB/s`, found `10m`; "
                    + "did you mean `10MB/s`?"
            ),
            (
                "bandwidth: {per_connection: {egress: 5}}",
                "weir.yml:5:42: error: `egress`: expected bytes a second such as `10MB/s` or `512KiB/s`, at least "
                    + "1KB/s and at most 100GB/s, found `5`"
            ),
            (
                "pre_dial: /bin/true",
                "weir.yml:5:15: error: `pre_dial`: expected `off` or a mapping such as "
                    + "`{exec: [/usr/local/bin/may-pass]}`, found `/bin/true`"
            ),
            (
                "pre_dial: {concurrency: 1}",
                "weir.yml:5:15: error: `pre_dial`: expected `exec` with a program and its arguments, found none"
            ),
            (
                "pre_dial: {exec: /bin/true}",
                "weir.yml:5:22: error: `exec`: expected a list of a program and its arguments, such as "
                    + "`[/usr/local/bin/may-pass, -v]`, found `/bin/true`"
            ),
            (
                "pre_dial: {exec: ['']}",
                "weir.yml:5:23: error: `exec`: expected the path of a program, found empty text"
            ),
            (
                "pre_dial: {exec: [a], concurrency: 500}",
                "weir.yml:5:40: error: `concurrency`: expected a number from 1 to 256, found `500`"
            ),
        ])
    func wrong(line: String, expected: String) {
        #expect(errors(route(line)) == [expected])
    }

    @Test("No text makes the parsers of rates trap, and what they take is within bounds")
    func fuzz() {
        var generator = SeededGenerator(seed: 11)
        let alphabet = Array("0123456789./smhrKMGiBb-+ \u{e9}")
        for _ in 0..<20_000 {
            let text = String(
                (0..<Int.random(in: 0...22, using: &generator)).map { _ in
                    alphabet.randomElement(using: &generator) ?? "0"
                })
            if let rate = try? parseRate(text) { #expect((1...1_000_000).contains(rate.count)) }
            if let bytes = try? parseByteRate(text) { #expect((1_000...100_000_000_000).contains(bytes)) }
        }
        #expect((try? parseByteRate("999999999999GiB")) == nil)
    }
}
