import Testing

@testable import WeirConfiguration

@Suite("Suggestions and printing") struct SuggestionTests {
    @Test(
        "Near words are found, far ones are not",
        arguments: [
            ("ruotes", "routes"), ("route", "routes"), ("Routes", "routes"), ("dial-timeout", "dial_timeout"),
            ("dialtimeout", "dial_timeout"), ("prot", "port"), ("hosts", "host"), ("x", nil), ("", nil),
            ("upstream", nil),
            (String(repeating: "a", count: 100_000), nil),
        ] as [(String, String?)])
    func suggests(word: String, expected: String?) {
        #expect(nearMiss(of: word, among: ["routes", "dial_timeout", "port", "host", "log"]) == expected)
    }

    @Test("Edit distance counts swaps of neighbors as one")
    func distance() {
        #expect(editDistance(Array("ab".utf8), Array("ba".utf8)) == 1)
        #expect(editDistance(Array("kitten".utf8), Array("sitting".utf8)) == 3)
        #expect(editDistance([], Array("abc".utf8)) == 3)
    }

    @Test("Findings print as compilers do")
    func prints() {
        let location = SourceLocation(line: 3, column: 7)
        #expect(
            "\(Diagnostic(file: "f", location: location, message: "m", suggestion: "s"))"
                == "f:3:7: error: m; did you mean `s`?")
        #expect("\(Diagnostic(file: "f", location: nil, severity: .warning, message: "m"))" == "f: warning: m")
    }

    @Test("Text from outside is escaped and cut")
    func escapes() {
        #expect(quoted("a\u{1b}[31m\n\u{202e}") == "`a\\u{1b}[31m\\u{a}\\u{202e}`")
        #expect(quoted(String(repeating: "a", count: 100)) == "`" + String(repeating: "a", count: 60) + "…`")
        #expect(quoted("") == "empty text")
    }

    @Test("A finding is one line of printable text, whatever it was made of")
    func printable() {
        let place = SourceLocation(line: 3, column: 7)
        let file = "a\u{1b}[31m\nweir.yml:1:1: error: forged"
        let finding = Diagnostic(file: file, location: place, message: "m\u{7}", suggestion: "s\u{1b}]0;x\u{7}")
        #expect("\(finding)".unicodeScalars.allSatisfy { $0.properties.generalCategory != .control })
        #expect("\(finding)".hasPrefix("a\\u{1b}[31m\\u{a}weir.yml:1:1: error: forged:3:7: error: m"))
        #expect("\(Origin.file(file, place))".unicodeScalars.allSatisfy { $0.properties.generalCategory != .control })
    }

    @Test(
        "A word of another proxy gets Weir's word",
        arguments: [
            ("listen: 8080", "port"), ("server: db", "host"), ("upstream: db", "host"), ("backend: db", "host"),
            ("proxy_pass: db", "host"), ("entryPoints: [a]", "port"), ("address: db", "host"), ("type: tcp", "scheme"),
            ("Proxy-Timeout: 1s", "idle_timeout"), ("maxconn: 5", "max_connections"),
            ("send-proxy: true", "relay_proxy_protocol_header"), ("whitelist: []", "acl"), ("listener: 8080", "port"),
            ("loadBalancer: {}", "host"), ("timeout_connect: 1s", "dial_timeout"),
        ])
    func foreignWords(line: String, meant: String) {
        let found = errors(route(line))
        #expect(found.count == 1)
        #expect(found.first?.hasSuffix("; did you mean `\(meant)`?") == true, "\(found)")
        let key = String(line.prefix { $0 != ":" })
        #expect(found.first?.contains("route `a`: unknown key `\(key)`: ") == true)
    }

    @Test(
        "At the top, too",
        arguments: [
            ("entryPoints", "routes"), ("streams", "routes"), ("frontends", "routes"), ("metrics", "exporter"),
            ("worker_processes", "workers"), ("accessLog", "log"), ("server", "routes"),
        ])
    func foreignWordsAtTheTop(word: String, meant: String) {
        let found = errors("\(word): {}\n" + route())
        #expect(found.contains { $0.contains("unknown key `\(word)`") && $0.contains("did you mean `\(meant)`?") })
    }

    @Test("Every word of another proxy stands for a setting that there is")
    func foreignWordsExist() {
        for word in ["listen", "server", "upstream", "timeout", "maxconn", "metrics", "lb_policy", "keepalives"] {
            let top = ForeignWords.meaning(of: word, among: Configuration.section.keys.supported)
            let route = ForeignWords.meaning(of: word, among: RouteConfiguration.section.keys.supported)
            if word == "keepalives" { #expect(top == nil && route == nil) } else { #expect(top != nil || route != nil) }
        }
    }

    @Test(
        "Any other unknown key gets three guesses at most",
        arguments: ["frequency", "max_everything", "per_ip", "zzz"])
    func guesses(word: String) throws {
        let found = errors(route("\(word): 1"))
        let text = try #require(found.first)
        #expect(found.count == 1 && text.hasSuffix("; `weir schema` lists all keys"))
        #expect(text.split(separator: "`").count <= 2 * 6 + 1)
        #expect(!text.contains("expected one of") || text.contains("max_") || text.contains("_ip"))
    }

    @Test(
        "A port where only an address belongs is named, and its place",
        arguments: [
            ("host: \"[2001:db8::1]:22\"", "target port is the second half of `port`", "2001:db8::1"),
            ("host: 10.0.0.1:22", "target port is the second half of `port`", "10.0.0.1"),
            ("host: db:22", "target port is the second half of `port`", "db"),
            ("bind: 127.0.0.1:22", "port to listen on is the first half of `port`", "127.0.0.1"),
            ("bind: \"[::1]:22\"", "port to listen on is the first half of `port`", "::1"),
        ])
    func portsOfAddresses(line: String, place: String, meant: String) {
        let found = errors(route(line))
        #expect(found.count == 1)
        #expect(found.first?.contains("found a port in `") == true && found.first?.contains(place) == true, "\(found)")
        #expect(found.first?.hasSuffix("did you mean `\(meant)`?") == true)
    }

    @Test(
        "An address or a transport among the ports is named, and its place",
        arguments: [
            ("127.0.0.1:8080:80", "`bind`", "8080:80"), ("127.0.0.1:8080", "`bind`", "8080"),
            ("53:53/udp", "`scheme`", "53:53"), ("[::1]:8080:80", "`bind`", "8080:80"),
        ])
    func addressesOfPorts(port: String, place: String, meant: String) {
        let found = errors("routes: { a: { scheme: tcp, host: db, port: \"\(port)\" } }\n")
        #expect(found.count == 1)
        #expect(found.first?.contains(place) == true, "\(found)")
        #expect(found.first?.hasSuffix("did you mean `\(meant)`?") == true, "\(found)")
    }

    @Test(
        "Where YAML stumbles, the error says what to quote",
        arguments: [
            ("exporter: { listen: [::]:9847 }", "an address in brackets", "\"[::]:9847\""),
            ("exporter:\n  listen: [::]:9847", "an address in brackets", "\"[::]:9847\""),
            ("exporter:\n  listen: [::1]:9847\n  max_series: 5000", "an address in brackets", "\"[::1]:9847\""),
            ("routes:\n  a:\n    host: *.example.net", "`*` begins an alias", "\"*.example.net\""),
            ("routes: { a: { host: *.example.net, port: 22 } }", "`*` begins an alias", "\"*.example.net\""),
            ("routes:\n  a:\n    host: @db", "`@` begins", "\"@db\""),
            ("routes:\n  a:\n    host: %h", "`%` begins", "\"%h\""),
            ("routes:\n  a:\n    host: a: b", "a colon with a blank", "\"a: b\""),
            ("routes:\n  a:\n    host: {{ db }}:5", "`{` begins a mapping", "\"{{ db }}:5\""),
            ("routes:\r\n  a:\r\n    host: *.x\r\n", "`*` begins an alias", "\"*.x\""),
        ])
    func quotes(text: String, says: String, suggestion: String) {
        let found = errors(text + "\n")
        #expect(found.count == 1)
        #expect(found.first?.contains(says) == true, "\(found)")
        #expect(found.first?.contains("in quotes; did you mean `\(suggestion)`?") == true, "\(found)")
        #expect(found.first?.contains("invalid YAML") == says.hasPrefix("a colon"))
    }

    @Test("A tab before the first word is named")
    func tabs() {
        let found = errors("routes:\n\ta:\n")
        #expect(found.count == 1 && found.first?.contains("weir.yml:2:1: error: found a tab") == true, "\(found)")
    }

    @Test("Text without such a mistake keeps the parser's words, and long lines cost nothing")
    func otherErrors() {
        #expect(errors("a: \"b\n").first?.contains("invalid YAML") == true)
        let long = "routes: { a: " + String(repeating: "- [ ", count: 100_000)
        #expect(errors(long).count == 1)
    }
}
