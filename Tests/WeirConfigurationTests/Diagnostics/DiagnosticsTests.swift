import Testing

@testable import WeirConfiguration

@Suite("Errors of whole files") struct DiagnosticsTests {
    @Test(
        "An empty file, or one with comments only, says what is expected",
        arguments: ["", "# nothing\n", "---\n", "~", "\n\n"])
    func empty(text: String) {
        #expect(
            errors(text) == [
                "weir.yml:1:1: error: expected `routes:` with at least one route, found an empty file"
            ]
                || errors(text) == [
                    "weir.yml:1:4: error: expected `routes:` with at least one route, found an empty file"
                ])
    }

    @Test(
        "A file without routes is refused",
        arguments: [
            ("log: {level: info}\n", "weir.yml:1:1: error: expected `routes:` with at least one route, found none"),
            ("routes: {}\n", "weir.yml:1:9: error: `routes`: expected at least one route, found none"),
            ("routes: [a]\n", "weir.yml:1:9: error: `routes`: expected a mapping from names to routes, found a list"),
            ("routes: a\n", "weir.yml:1:9: error: `routes`: expected a mapping from names to routes, found `a`"),
            ("- a\n", "weir.yml:1:1: error: the file: expected a mapping, found a list"),
            ("a\n", "weir.yml:1:1: error: the file: expected a mapping, found `a`"),
        ])
    func noRoutes(text: String, expected: String) {
        #expect(errors(text) == [expected])
    }

    @Test("A file that cannot be read gives one error without a location")
    func unreadable() {
        func message(_ path: String) -> String? {
            do {
                _ = try Configuration.load(path: path, environment: [:])
                return nil
            } catch {
                return error.description
            }
        }
        #expect(message("/nonexistent/weir.yml") == "/nonexistent/weir.yml: error: cannot read the file: no such file")
        #expect(message("/") == "/: error: cannot read the file: it is a directory")
        #expect(message("/dev/zero") == "/dev/zero: error: expected a file of at most 4 MiB, found more")
        #expect(message("/dev/null")?.contains("found an empty file") == true)
    }

    @Test("The first byte that is not UTF-8, or not YAML, is named with its location")
    func notText() {
        #expect(
            errors(bytes: Array("log: {}\nü: ".utf8) + [0xff]) == [
                "weir.yml:2:4: error: expected UTF-8 text, found the byte 0xFF"
            ])
        #expect(errors(bytes: [0xc0, 0x80]) == ["weir.yml:1:1: error: expected UTF-8 text, found the byte 0xC0"])
        #expect(errors(bytes: [0x61, 0xe2, 0x82]) == ["weir.yml:1:2: error: expected UTF-8 text, found the byte 0xE2"])
        #expect(errors(bytes: [0xed, 0xa0, 0x80]) == ["weir.yml:1:1: error: expected UTF-8 text, found the byte 0xED"])
        #expect(
            errors("a: b\n\u{0}") == [
                "weir.yml:2:1: error: found the control character 0x00, which YAML does not allow"
            ])
    }

    @Test("Invalid YAML is reported with the parser's location and words")
    func invalidYAML() {
        #expect(
            errors("routes: {a: [\n") == [
                "weir.yml:2:1: error: invalid YAML: did not find expected node content while parsing a flow node"
            ])
        #expect(
            errors("a: b: c\n") == [
                "weir.yml:1:5: error: invalid YAML: mapping values are not allowed in this context: text that has a "
                    + "colon with a blank behind it stands in quotes; did you mean `\"b: c\"`?"
            ])
        #expect(errors("a: *none\n") == ["weir.yml:1:4: error: invalid YAML: found undefined alias"])
        #expect(
            errors(route() + "---\n" + route()) == [
                "weir.yml:5:1: error: expected one YAML document, found a second one"
            ])
    }

    @Test("What native histograms are not")
    func nativeHistograms() {
        let schema = "`native_histogram_schema`: expected a number from -2 to 8, found "
        for (value, error) in [
            (
                "native_histograms: yes",
                "12: error: `native_histograms`: expected `true` or `false`, found `yes`; did you mean `true`?"
            ),
            ("native_histogram_schema: 9", "38: error: \(schema)`9`"),
            ("native_histogram_schema: -3", "38: error: \(schema)`-3`"),
            ("native_histogram_schema: 1.5", "38: error: \(schema)`1.5`"),
            ("native_histogram_schema: --1", "38: error: \(schema)`--1`"),
            ("native_histogram_schema: fine", "38: error: \(schema)`fine`"),
            ("native_histogram_schema: [3]", "38: error: \(schema)a list"),
        ] {
            let key = value.prefix { $0 != ":" }.count
            let column = 12 + key + 2
            let expected = "weir.yml:1:\(column)" + error.drop { $0 != ":" }
            #expect(errors("exporter: {\(value)}\n" + route()) == [expected], "\(value)")
        }
        for schema in ["-2", "-1", "0", "3", "8"] {
            #expect(errors("exporter: {native_histogram_schema: \(schema)}\n" + route()) == [])
        }
    }

    @Test("All errors come in one run, sorted by location")
    func everythingAtOnce() {
        let text = """
            exporter: { listen: nowhere, maxseries: 5 }
            log: { level: warn, format: jsn }
            workers: 65
            docker: { default: deny }
            routs: {}
            defaults: { dial_timeout: 5, frequency: 3 }
            routes:
              web: { scheme: http, port: 80:8080, idle_timeout: -1s }
              -bad: { scheme: tcp, port: 70000 }
              four: { scheme: tcp4, bind: "::1", port: 1:2 }
              six: { scheme: tcp6, bind: 127.0.0.1, port: abc }
              dns: { scheme: udp, port: 0, dial_timeout: 1s, host: "${UNSET}" }
              none: {}
              list: [1, 2]
            """
        #expect(
            errors(text) == [
                "weir.yml:1:21: error: `listen`: expected an IP address and a port such as `127.0.0.1:9847` "
                    + "or `[::1]:9847`, found `nowhere`",
                "weir.yml:1:30: error: `exporter`: unknown key `maxseries`; did you mean `max_series`?",
                "weir.yml:2:15: error: `level`: expected one of `debug`, `info`, `warning`, `error`, found `warn`",
                "weir.yml:2:29: error: `format`: expected one of `text`, `json`, found `jsn`; did you mean `json`?",
                "weir.yml:3:10: error: `workers`: expected `auto` or a number from 1 to 64, found `65`",
                "weir.yml:4:9: error: `docker`: expected an `endpoint` such as `unix:///var/run/docker.sock`, found none",
                "weir.yml:4:11: error: `docker`: unknown key `default`; `weir schema` lists all keys",
                "weir.yml:5:1: error: the file: unknown key `routs`; did you mean `routes`?",
                "weir.yml:6:27: error: `dial_timeout`: expected a duration such as `300ms`, `5s` or `1m30s`, "
                    + "found `5` without a unit; did you mean `5s`?",
                "weir.yml:6:30: error: `defaults`: unknown key `frequency`; `weir schema` lists all keys",
                "weir.yml:8:18: error: `scheme`: expected one of `tcp`, `tcp4`, `tcp6`, `udp`, `udp4`, "
                    + "`udp6`, `tcp+udp`, `tcp4+udp4`, `tcp6+udp6`, found `http`: Weir forwards streams without looking into them, and `http` runs over "
                    + "TCP; did you mean `tcp`?",
                "weir.yml:8:53: error: `idle_timeout`: expected a duration such as `300ms`, `5s` or `1m30s`, "
                    + "found the negative `-1s`",
                "weir.yml:9:3: error: expected a route name of 1 to 64 characters of `A-Z a-z 0-9 _ . -` that "
                    + "starts with a letter or a digit, found `-bad`",
                "weir.yml:9:30: error: `port`: expected a port from 1 to 65535, found `70000`",
                "weir.yml:10:31: error: `bind`: scheme `tcp4` listens on IPv4, found the IPv6 address `::1`; "
                    + "an address for it, or scheme `tcp6`, is expected",
                "weir.yml:11:30: error: `bind`: scheme `tcp6` listens on IPv6, found the IPv4 address "
                    + "`127.0.0.1`; an address for it, or scheme `tcp4`, is expected",
                "weir.yml:11:47: error: `port`: expected a port from 1 to 65535, found `abc`",
                "weir.yml:12:29: error: `port`: expected a port from 1 to 65535, found `0`",
                "weir.yml:12:32: error: route `dns`: `dial_timeout` is for TCP routes, and the scheme is `udp`",
                "weir.yml:12:56: error: the environment variable `UNSET` is not set, and `${UNSET}` gives no default",
                "weir.yml:13:3: error: route `none`: expected a `port` such as `2222:22`, found none",
                "weir.yml:13:3: error: route `none`: expected a `scheme` such as `tcp` or `udp`, found none",
                "weir.yml:14:9: error: route `list`: expected a mapping, found a list",
            ])
    }

    @Test("Duplicate keys are errors with both locations, and hide nothing else")
    func duplicateKeys() {
        let text = """
            log: {level: info}
            routes:
              a: {scheme: tcp, port: 1:2, port: 3:4}
              b: {scheme: tcp, port: 5:6}
              "b": {scheme: tcp, port: 7:8}
              a: {scheme: tcp, port: bad}
              a: {scheme: tcp, port: 9:9}
              c: {scheme: ucp, port: 1}
            log: {}
            """
        #expect(
            errors(text) == [
                "weir.yml:3:31: error: duplicate key `port`, first found at 3:20",
                "weir.yml:5:3: error: duplicate key `b`, first found at 4:3",
                "weir.yml:6:3: error: duplicate key `a`, first found at 3:3",
                "weir.yml:7:3: error: duplicate key `a`, first found at 3:3",
                "weir.yml:8:15: error: `scheme`: expected one of `tcp`, `tcp4`, `tcp6`, `udp`, `udp4`, "
                    + "`udp6`, `tcp+udp`, `tcp4+udp4`, `tcp6+udp6`, found `ucp`; did you mean `tcp`?",
                "weir.yml:9:1: error: duplicate key `log`, first found at 1:1",
            ])
        // Written with a tag, an escape, or as an alias, it is the same key.
        let others = [
            "!!str a: 1\n!!str a: 2\n", "\"\\x61\": 1\n\"\\x61\": 2\n", "&n a: 1\n*n : 2\n", "'a': 1\na: 2\n",
        ]
        for text in others {
            #expect(errors(text).last == "weir.yml:2:1: error: duplicate key `a`, first found at 1:1")
        }
        // However many there are.
        let many = "routes: {}\n" + (1...200).map { "log: {} # \($0)\n" }.joined()
        #expect(errors(many).count { $0.contains("duplicate key `log`, first found at 2:1") } == 199)
    }

    @Test(
        "Wrong types name what was found",
        arguments: [
            ("host: {a: b}", "weir.yml:5:11: error: `host`: expected a host name or an IP address, found a mapping"),
            ("host:", "weir.yml:5:10: error: `host`: expected a host name or an IP address, found nothing"),
            (
                "host: [2001:db8::1]",
                "weir.yml:5:11: error: `host`: expected a host name or an IP address, found a list; did you "
                    + "mean `\"[2001:db8::1]\"`?"
            ),
            (
                "host: db:5432",
                "weir.yml:5:11: error: `host`: found a port in `db:5432`: the target port is the second half "
                    + "of `port`; did you mean `db`?"
            ),
            (
                "bind: localhost",
                "weir.yml:5:11: error: `bind`: expected an IP address to listen on, found `localhost`; did "
                    + "you mean `127.0.0.1`?"
            ),
            (
                "bind: fe80::1",
                "weir.yml:5:11: error: `bind`: found the link-local address `fe80::1` without its interface, "
                    + "expected one such as `fe80::1%eth0`"
            ),
            (
                "keepalive: on",
                "weir.yml:5:16: error: `keepalive`: expected `off` or a mapping such as `{idle: 60s, "
                    + "interval: 10s, count: 6}`, found `on`"
            ),
            ("keepalive: {idel: 1s}", "weir.yml:5:17: error: `keepalive`: unknown key `idel`; did you mean `idle`?"),
            (
                "keepalive: {idle: 100ms}",
                "weir.yml:5:23: error: `idle`: expected whole seconds from 1s to 32767s, found `100ms`"
            ),
            (
                "defer_accept: 1500ms",
                "weir.yml:5:19: error: `defer_accept`: expected whole seconds from 1s to 127s, found `1500ms`"
            ),
            (
                "fast_open: yes",
                "weir.yml:5:16: error: `fast_open`: expected a number from 1 to 65535, found `yes`"
            ),
            (
                "max_connections: 0",
                "weir.yml:5:22: error: `max_connections`: expected a number from 1 to 10000000, found `0`"
            ),
            ("dial_timeout: 0", "weir.yml:5:19: error: `dial_timeout`: expected a duration of at least 1ms, found `0`"),
            (
                "dial_timeout: 9000h",
                "weir.yml:5:19: error: `dial_timeout`: expected a duration of at most 365 days (8760h), found `9000h`"
            ),
            (
                "max_sessions: 1",
                "weir.yml:5:5: error: route `a`: `max_sessions` is for UDP routes, and the scheme is `tcp`"
            ),
            (
                "Dial-Timeout: 1s",
                "weir.yml:5:5: error: route `a`: unknown key `Dial-Timeout`; did you mean `dial_timeout`?"
            ),
            ("<<: 5", "weir.yml:5:5: error: `<<`: expected a mapping to merge, found `5`"),
        ])
    func wrongValues(line: String, expected: String) {
        #expect(errors(route(line)) == [expected])
    }

    @Test("An idle timeout that is off fits TCP only, also from the defaults")
    func idleTimeoutOff() {
        let text =
            "defaults: {idle_timeout: off}\nroutes:\n  a: {scheme: udp, port: 1:2}\n  b: {scheme: tcp, port: 1:2}\n"
        #expect(
            errors(text) == [
                "weir.yml:1:26: error: `idle_timeout`: expected a duration such as `5m`, found `off`, which "
                    + "only TCP has"
            ])
    }

    @Test("An error behind an anchor is reported once, where it is written")
    func errorBehindAnchor() {
        let text =
            "x-a: &a {dial_timeout: soon}\nroutes:\n  a: {<<: *a, scheme: tcp, port: 1:22}\n"
            + "  b: {<<: *a, scheme: tcp, port: 2:3, host: c}\n"
        #expect(errors(text).map { $0.prefix(35) } == ["weir.yml:1:24: error: `dial_timeout"])
    }
}
