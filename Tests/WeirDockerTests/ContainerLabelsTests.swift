import Testing
import WeirConfiguration

@testable import WeirDocker

@Suite("Labels of one container") struct ContainerLabelsTests {
    private func read(_ labels: [String: String], name: String = "web", prefix: String = "weir") -> ContainerLabels {
        ContainerLabels(labels, container: name, prefix: prefix)
    }

    private func routes(_ labels: ContainerLabels) -> [String: String] {
        Dictionary(
            labels.aliases.map { fields in
                (
                    fields.name,
                    fields.entries.map { "\($0.key)=\($0.value.canonicalText)" }.sorted().joined(separator: " ")
                )
            }, uniquingKeysWith: { first, _ in first })
    }

    private func messages(_ labels: ContainerLabels) -> [String] { labels.problems.map(\.description) }

    @Test("An alias by its name, without a list of aliases, stands beside the container's own only where that is meant")
    func names() {
        #expect(routes(read(["weir.ssh.port": "2222:22"])) == ["ssh": #"port="2222:22""#])
        #expect(routes(read(["weir.web.port": "80:80"])) == ["web": #"port="80:80""#])
        #expect(routes(read(["weir.#1.port": "80:80"])) == ["web": #"port="80:80""#])
        #expect(
            routes(read(["weir.$1.port": "1:1", "weir.ssh.port": "2:2"])) == [
                "web": #"port="1:1""#, "ssh": #"port="2:2""#,
            ])
    }

    @Test("Aliases by position, nested fields, and fields of all, which win")
    func positions() {
        let labels = read([
            "weir.aliases": "a, b  c", "weir.#2.port": "2:2", "weir.$3.port": "3:3", "weir.a.port": "1:1",
            "weir.a.health.check": "tcp", "weir.a.health.interval": "5s", "weir.a.idle_timeout": "1m",
            "weir.*.idle_timeout": "2m",
        ])
        #expect(
            routes(labels) == [
                "a": #"health={check:"tcp",interval:"5s"} idle_timeout="2m" port="1:1""#,
                "b": #"idle_timeout="2m" port="2:2""#, "c": #"idle_timeout="2m" port="3:3""#,
            ])
        #expect(labels.aliases.map(\.name) == ["a", "b", "c"] && labels.problems.isEmpty)
        let wrong = read(["weir.aliases": "a", "weir.#2.port": "1:1", "weir.a.port": "1:1"])
        #expect(messages(wrong).contains { $0.contains("from #1 to #1, found `#2`") })
    }

    @Test("A block of YAML, which single fields override, tabs being two blanks")
    func blocks() {
        let labels = read([
            "weir.ssh": "port: 2222:22\nacl:\n\tdeny: [\"ip:192.0.2.1\"]\nidle_timeout: 1m",
            "weir.ssh.idle_timeout": "2m",
            "weir.*": "scheme: tcp",
        ])
        #expect(
            routes(labels) == [
                "ssh": #"acl={deny:["ip:192.0.2.1"]} idle_timeout="2m" port="2222:22" scheme="tcp""#
            ])
        #expect(labels.problems.isEmpty)
    }

    @Test("Unknown and refused fields are errors that name label and field")
    func refused() {
        let labels = read([
            "weir.a.port": "1:1", "weir.a.idle_timeuot": "1m", "weir.a.host": "127.0.0.1", "weir.a.pre_dial": "x",
            "weir.a.acl": "{allow: [\"ip:192.0.2.1\"], deny: [\"file:/etc/passwd\"]}",
        ])
        let messages = messages(labels)
        #expect(
            messages.contains {
                $0.hasPrefix("container `web`, label `weir.a.idle_timeuot`: error: unknown field `idle_timeuot`")
                    && $0.hasSuffix("did you mean `idle_timeout`?")
            })
        #expect(messages.contains { $0.contains("cannot set `host`: labels are for their own container") })
        #expect(messages.contains { $0.contains("cannot set `pre_dial`") })
        #expect(messages.contains { $0.contains("can only `deny`, found `allow`") })
        #expect(messages.contains { $0.contains("labels name no files") })
        #expect(
            self.messages(read(["weir.port": "80"])).contains {
                $0.hasSuffix("did you mean `weir.<alias>.port`?")
            })
        #expect(self.messages(read(["weir.a.scheme": "tcp"])).contains { $0.contains("has no `port`") })
    }

    @Test("A label turns TLS on, and nothing else of it")
    func tls() {
        #expect(read(["weir.a.port": "443:80", "weir.a.tls": "true"]).problems.isEmpty)
        for labels in [
            ["weir.a.tls": "off"], ["weir.a.tls": "{ client_ca: /etc/passwd }"],
            ["weir.a.tls.client_ca": "/etc/passwd"],
            ["weir.a": "tls: [true]"],
        ] {
            let found = messages(read(labels.merging(["weir.a.port": "443:80"]) { first, _ in first }))
            #expect(found.count == 1 && found[0].contains("labels can only say `true`"), "\(labels): \(found)")
        }
        #expect(
            messages(read(["weir.a.port": "1:1", "weir.a.upstream_tls": "true"])).contains {
                $0.contains("cannot set `upstream_tls`")
            })
    }

    @Test("With the prefix of an HTTP proxy only streams count, and its own labels are no error")
    func shared() {
        func shared(_ labels: [String: String]) -> ContainerLabels { read(labels, prefix: "proxy") }
        for labels in [
            ["proxy.web.port": "8080"], ["proxy.web.scheme": "http", "proxy.web.port": "80:8080"],
            ["proxy.web.homepage.name": "x"], ["proxy.idle_timeout": "1h", "proxy.stop_method": "pause"],
            ["proxy.ports": "80, 443", "proxy.aliases": "a, b"], ["proxy.web": "rules: [a]"],
            ["proxy.web.middlewares.redirect.use": "x"], ["proxy.#1.path_patterns": "- GET /"],
        ] {
            let read = shared(labels)
            #expect(read.aliases.isEmpty && read.problems.isEmpty, "\(labels)")
        }
        #expect(
            routes(shared(["proxy.db.port": "5432:5432", "proxy.db.homepage.show": "false"])) == [
                "db": #"port="5432:5432""#
            ])
        #expect(routes(shared(["proxy.db.port": "5432", "proxy.db.scheme": "tcp"])).count == 1)
        #expect(shared(["proxy.exclude": "true", "proxy.db.port": "1:1"]).isExcluded)
    }

    @Test("Hostile labels are errors within bounds")
    func hostile() {
        let bomb =
            "a: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n"
            + "c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\nport: [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]"
        #expect(messages(read(["weir.a": bomb])).contains { $0.contains("aliases expand to more than 1000 values") })
        let deep = String(repeating: "[", count: 5_000)
        #expect(!messages(read(["weir.a.port": deep])).isEmpty)
        let large = read(["weir.a.port": String(repeating: "1", count: 1 << 20)])
        #expect(large.aliases.isEmpty && messages(large).contains { $0.contains("64 KiB") })
        let many = Dictionary(uniqueKeysWithValues: (0..<600).map { ("weir.a\($0).port", "1:1") })
        #expect(messages(read(many)).contains { $0.contains("512 labels") })
        let control = read(["weir.a.port": "1:1\u{1B}[2J", "weir.a.\u{7}": "x", "weir..port": "1", "weir.a..b": "1"])
        #expect(messages(control).allSatisfy { !$0.unicodeScalars.contains { $0.value < 0x20 } })
        #expect(messages(read(["weir.-a.port": "1:1"])).contains { $0.contains("expected an alias") })
        #expect(messages(read(["weir.aliases": "a a", "weir.a.port": "1:1"])).contains { $0.contains("named twice") })
    }

    @Test("Variables are not expanded, and values that are no list stay text")
    func literal() {
        #expect(
            routes(read(["weir.a.port": "1:1", "weir.a.balance": "${HOME}"])) == ["a": #"balance="${HOME}" port="1:1""#]
        )
        #expect(routes(read(["weir.a": "port: 1:1\nbalance: ${HOME}"])) == ["a": #"balance="${HOME}" port="1:1""#])
    }

    @Test(
        "Numbers that YAML makes of ports without quotes",
        arguments: [
            ("133342", [], "2222:22"), ("3233", [53], "53:53"), ("3233", [3233], nil), ("3233", [], nil),
            ("8080", [8080], nil), ("3000", [3000, 22], nil), ("22", [22], nil), ("480000", [], nil), ("x", [], nil),
            ("99999999999", [], nil),
        ] as [(String, Set<UInt16>, String?)])
    func sexagesimal(text: String, exposed: Set<UInt16>, meant: String?) {
        #expect(SexagesimalPort.meant(by: text, exposed: exposed) == meant)
    }
}
