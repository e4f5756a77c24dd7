import NetworkTypes
import TestSupport
import Testing

@testable import WeirConfiguration

@Suite("Upstreams of a route") struct UpstreamTests {
    private func texts(_ line: String) throws -> [String] {
        try #require(try load(route(line)).routes.first).upstreamTexts
    }

    @Test(
        "One value stands for a list of one, and a port of its own for that of the route",
        arguments: [
            ("upstreams: db-1", ["db-1:80"]), ("upstreams: \"db-1:6432\"", ["db-1:6432"]),
            ("upstreams: { host: db-1, port: 6432 }", ["db-1:6432"]), ("upstreams: { host: db-1 }", ["db-1:80"]),
            ("upstreams: [192.0.2.1, \"192.0.2.1:81\"]", ["192.0.2.1:80", "192.0.2.1:81"]),
            ("upstreams: [\"2001:db8::1\", \"[2001:db8::2]\"]", ["[2001:db8::1]:80", "[2001:db8::2]:80"]),
            ("upstreams: \"[2001:db8::1]:5432\"", ["[2001:db8::1]:5432"]),
            ("upstreams: [{ host: \"2001:db8::1\", port: 1 }, b]", ["[2001:db8::1]:1", "b:80"]),
            ("upstreams:\n- db-1\n- { host: db-2 }", ["db-1:80", "db-2:80"]),
            ("host: db-1", ["db-1:80"]), ("balance: first", ["localhost:80"]),
        ])
    func reads(line: String, expected: [String]) throws {
        #expect(try texts(line) == expected)
    }

    @Test("An upstream has a name, a weight, a bound and roles of its own")
    func details() throws {
        let line =
            "upstreams: [a, { host: b, name: spare, weight: 7, backup: true, max_connections: 3, drain: true }, "
            + "{ host: a, name: twin }]"
        let detailed = try #require(try load(route(line)).routes.first)
        #expect(detailed.upstreamTexts == ["a:80", "spare", "twin"])
        let spare = detailed.upstreams[1]
        #expect((spare.weight, spare.maxConnections) == (7, 3) && spare.isBackup && spare.isDraining)
        #expect(detailed.upstreams[2].weight == 1 && !detailed.upstreams[2].isBackup)
        // It is told as it can be written.
        let text = try #require(Notation<[UpstreamConfiguration]>.upstreams.text(detailed.upstreams))
        #expect(try load(route("upstreams: \(text)")).routes == [detailed])
    }

    @Test("The settings of the choice have the defaults of a set, and can be taken back")
    func selection() throws {
        let plain = try #require(try load(route("upstreams: [a, b]")).routes.first).selection
        #expect(plain == SelectionSettings() && plain.method == .roundRobin)
        #expect(plain.ejection?.failures == 5 && plain.whenNone == .dial && plain.onDown == .keep)
        let lines = ["balance: maglev", "eject: off", "slow_start: 30s", "when_none: reject", "on_down: close"]
        let other = try #require(
            try load(route("upstreams: [a, b]", lines.joined(separator: "\n"))).routes.first
        ).selection
        #expect(other.method == .maglev && other.ejection == nil && other.slowStart == .seconds(30))
        #expect(other.whenNone == .reject && other.onDown == .close)
    }

    @Test("What says where to dial on a route takes back the other form in `defaults`")
    func givesWay() throws {
        let routes = try load(
            """
            defaults: { host: 192.0.2.1 }
            routes:
              a: { scheme: tcp, port: 1 }
              b: { scheme: tcp, port: 2, upstreams: [c, d] }
            """
        ).routes
        #expect(routes.map(\.upstreamTexts) == [["192.0.2.1:1"], ["c:2", "d:2"]])
        let others = try load(
            "defaults: { upstreams: [c, d] }\nroutes: { a: { scheme: tcp, port: 1 }, b: { scheme: udp, port: 2, "
                + "host: e } }"
        ).routes
        #expect(others.map(\.upstreamTexts) == [["c:1", "d:1"], ["e:2"]])
    }

    @Test("The host alone is the set of one")
    func host() throws {
        #expect(try load(route("host: db-1")).routes == load(route("upstreams: [db-1]")).routes)
        #expect(try load(route("upstreams: [a, b]")).routes != load(route("upstreams: [b, a]")).routes)
        #expect(try #require(try load(route("upstreams: [a, b]")).routes.first).host == nil)
    }

    @Test(
        "Every mistake is told with its location",
        arguments: [
            ("upstreams: []", "5:16: error: `upstreams`: expected 1 to 1000 upstreams, found 0"),
            (
                "upstreams:",
                "5:15: error: `upstreams`: expected an upstream such as `db-1`, `db-1:5432` or `{ host: db-1, port: "
                    + "5432 }`"
                    + ", found nothing"
            ),
            (
                "upstreams: [db-1, b, \"DB-1:80\"]",
                "5:26: error: `upstreams`: `DB-1:80` is named twice; give one of them a `name` of its own"
            ),
            (
                "upstreams: [\"db-1:0\"]", "5:17: error: `upstreams`: expected a port from 1 to 65535, found `0`"
            ),
            (
                "upstreams: [\"db-1:\"]",
                "5:17: error: `upstreams`: expected a port behind the `:`, found none in `db-1:`"
            ),
            (
                "upstreams: [\":5432\"]",
                "5:17: error: `upstreams`: expected a host before the `:`, found none in `:5432`"
            ),
            (
                "upstreams: [\"[2001:db8::1\"]",
                "5:17: error: `upstreams`: found `[2001:db8::1`, where the closing `]` of an IPv6 address is missing"
            ),
            (
                "upstreams: [\"tcp://db-1:5432\"]",
                "5:17: error: `upstreams`: expected a host name or an IP address, perhaps with a port, found the URL "
                    + "`tcp://db-1:5432`; did you mean `db-1:5432`?"
            ),
            (
                "upstreams: [{ host: \"db-1:5432\" }]",
                "5:25: error: `host`: found a port in `db-1:5432`, expected it in `port`; did you mean "
                    + "`{ host: db-1, port: 5432 }`?"
            ),
            (
                "upstreams: [{ hosts: db-1 }]",
                "5:19: error: `upstreams`: unknown key `hosts`; did you mean `host`?"
            ),
            (
                "upstreams: [{ port: 5432 }]", "5:17: error: `upstreams`: expected a `host`, found none"
            ),
            (
                "upstreams: [{ host: a, port: \"1:2\" }]",
                "5:34: error: `port`: expected a port from 1 to 65535, found `1:2`"
            ),
            (
                "upstreams: [db-1: 5432]",
                "5:17: error: `upstreams`: expected an upstream, found a mapping: there is no blank before a port; "
                    + "did you mean `db-1:5432`?"
            ),
            (
                "upstreams: [[a]]",
                "5:17: error: `upstreams`: expected an upstream such as `db-1`, `db-1:5432` or `{ host: db-1, port: "
                    + "5432 }`"
                    + ", found a list"
            ),
            (
                "upstreams: [a, { host: b, weight: 0 }]",
                "5:39: error: `weight`: expected a number from 1 to 256, found 0: an upstream that gets no new clients "
                    + "drains; did you mean `drain: true`?"
            ),
            (
                "upstreams: [{ host: b, weight: 300 }]",
                "5:36: error: `weight`: expected a number from 1 to 256, found `300`"
            ),
            (
                "upstreams: [{ host: b, name: \" b\" }]",
                "5:34: error: `name`: expected a name of 1 to 128 printable characters without blanks at its ends, "
                    + "found ` b`"
            ),
            (
                "upstreams: [{ host: a, backup: true }, { host: b, backup: true }]",
                "5:16: error: `upstreams`: expected one at least without `backup`, found backups only: they are for the "
                    + "time in which the others are out"
            ),
            (
                "balance: frist",
                "5:14: error: `balance`: expected one of `round_robin`, `least_connections`, `maglev`, `first`, found "
                    + "`frist`; did you mean `first`?"
            ),
            (
                "balance: leastconn",
                "5:14: error: `balance`: expected one of `round_robin`, `least_connections`, `maglev`, `first`, found "
                    + "`leastconn`; did you mean `least_connections`?"
            ),
            (
                "balance: ip_hash",
                "5:14: error: `balance`: expected one of `round_robin`, `least_connections`, `maglev`, `first`, found "
                    + "`ip_hash`; did you mean `maglev`?"
            ),
            (
                "eject: { for: 10s, at_most: 5s }",
                "5:33: error: `eject`: `at_most` (5s) is shorter than `for` (10s)"
            ),
            ("when_none: drop", "5:16: error: `when_none`: expected one of `dial`, `reject`, found `drop`"),
        ])
    func mistakes(line: String, expected: String) {
        let found = errors(route(line))
        #expect(found.contains("weir.yml:\(expected)"), "\(found)")
        #expect(found.allSatisfy { $0.hasPrefix("weir.yml:5:") })
    }

    @Test("The host beside upstreams is an error, on a route and in `defaults`")
    func bothForms() {
        let expected = "`host` stands beside `upstreams`, which takes its place: move it into that list"
        #expect(errors(route("upstreams: [a]", "host: b")) == ["weir.yml:6:5: error: route `a`: \(expected)"])
        #expect(
            errors("defaults: { host: a, upstreams: [b] }\n" + route()) == [
                "weir.yml:1:13: error: `defaults`: \(expected)"
            ])
    }

    @Test("An upstream that is a listener of ours is a loop, wherever it stands in the list")
    func loops() {
        #expect(
            errors("routes: { a: { scheme: tcp, port: 80, upstreams: [192.0.2.1, localhost] } }\n") == [
                "weir.yml:1:62: error: route `a`: a loop: the target localhost:80 is its own listener, *:80; set the "
                    + "upstream or `port` to another server"
            ])
        #expect(errors("routes: { a: { scheme: tcp, port: 80, upstreams: [\"localhost:81\", localhost:82] } }\n") == [])
    }

    @Test("No text makes the parser of an upstream trap, and what it takes is read again as the same")
    func fuzz() {
        var generator = SeededGenerator(seed: 17)
        let pieces = [
            "[", "]", ":", "::", "1", "0", "65535", "db", ".", "-", "::1", "%eth0", "//", "tcp", "é", " ", "/",
        ]
        for _ in 0..<fuzzRounds(20_000) {
            let text = (0..<Int.random(in: 0...7, using: &generator)).map { _ in
                pieces.randomElement(using: &generator) ?? ""
            }.joined()
            guard let upstream = try? UpstreamConfiguration(parsing: text) else { continue }
            #expect((try? UpstreamConfiguration(parsing: upstream.description)) == upstream, "\(text)")
            #expect(upstream.port != 0)
        }
    }
}
