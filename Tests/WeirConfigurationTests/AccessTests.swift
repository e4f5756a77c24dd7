import Glibc
import TestSupport
import Testing

@testable import WeirConfiguration

/// Takes whatever does not say that it is bad, and needs a database for countries.
private struct Rules: AccessRuleValidation {
    func check(rule text: String) -> AccessRuleCheckResult {
        if text.contains("bad") {
            return AccessRuleCheckResult(problems: [.init("no rule: \(text)", suggestion: "good")])
        }
        return AccessRuleCheckResult(locationKeys: text.hasPrefix("country:") ? [.country] : [])
    }

    func check(list bytes: [UInt8]) -> AccessRuleCheckResult {
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        return AccessRuleCheckResult(
            problems: lines.enumerated().filter { $0.element.contains("bad") }.map {
                .init("no rule", line: $0.offset + 1)
            },
            locationKeys: lines.contains { $0.hasPrefix("country:") } ? [.country] : [],
            ruleCount: lines.count { !$0.isEmpty && !$0.hasPrefix("#") })
    }

    func check(database path: String, for keys: Set<AccessRuleCheckResult.LocationKey>) -> String? {
        if path.contains("asn"), keys.contains(.country) { return "knows no countries" }
        return path.contains("bad") ? "cannot be opened" : nil
    }
}

private func parse(_ text: String) throws(ConfigurationErrors) -> Configuration.Loaded {
    try Configuration.parse(bytes: Array(text.utf8), file: "weir.yml", environment: [:], rules: Rules())
}

private func findings(_ text: String) -> [String] {
    do {
        return try parse(text).warnings.map(\.description)
    } catch {
        return error.diagnostics.map(\.description)
    }
}

@Suite("Access rules in a file") struct AccessTests {
    @Test("Both sections are read as they are written, with the location of each rule")
    func reads() throws {
        let loaded = try parse(
            """
            acl:
              default: deny
              allow_local: false
              allow: ["cidr:2001:db8::/32", ip:192.0.2.7]
              deny:
                - cidr:198.51.100.0/24
              log: { path: stdout, log_allowed: true }
            routes:
              a:
                scheme: tcp
                port: 1:2
                acl: { default: allow, deny: ["ip:192.0.2.9"] }
              b: { scheme: udp, port: 1:2 }
            """
        )
        let configuration = loaded.configuration
        let access = configuration.access
        #expect(access.defaultAction == .deny && !access.allowLocal)
        #expect(access.allow.map(\.text) == ["cidr:2001:db8::/32", "ip:192.0.2.7"])
        #expect(access.deny == [AccessEntry("cidr:198.51.100.0/24")])
        #expect(loaded.origin(of: "acl", "deny", "0") == .file("weir.yml", SourceLocation(line: 6, column: 7)))
        #expect(access.log == AccessConfiguration.Log(path: nil, logAllowed: true))
        let own = try #require(configuration.routes[0].access)
        #expect(own == RouteAccessConfiguration(defaultAction: .allow, deny: [AccessEntry("ip:192.0.2.9")]))
        #expect(configuration.routes[1].access == nil)
        #expect(configuration.routes[0] != configuration.routes[1])
    }

    @Test("Without the section everybody passes, and a section without anything in it says the same")
    func defaults() throws {
        let plain = try parse(route()).configuration
        #expect(plain.access == AccessConfiguration())
        #expect(plain.access.defaultAction == .allow && plain.access.allowLocal)
        #expect(try parse("acl:\n" + route("acl: {}")).configuration.access == plain.access)
    }

    @Test("`defaults` can hold a section, which a route's own replaces whole")
    func inDefaults() throws {
        let configuration = try parse(
            """
            defaults: { acl: { deny: ["ip:192.0.2.1"] } }
            routes:
              a: { scheme: tcp, port: 1:20 }
              b: { scheme: tcp, port: 2:30, acl: { allow: ["ip:192.0.2.2"] } }
            """
        ).configuration
        #expect(configuration.routes[0].access?.deny.map(\.text) == ["ip:192.0.2.1"])
        #expect(configuration.routes[1].access?.deny == [])
    }

    @Test(
        "A mistake is told with its location",
        arguments: [
            ("acl: deny", "weir.yml:1:6: error: `acl`: expected a mapping, found `deny`"),
            ("acl: { defualt: deny }", "weir.yml:1:8: error: `acl`: unknown key `defualt`; did you mean `default`?"),
            (
                "acl: { default: drop }",
                "weir.yml:1:17: error: `default`: expected one of `allow`, `deny`, found `drop`"
            ),
            (
                "acl: { allow_local: no }",
                "weir.yml:1:21: error: `allow_local`: expected `true` or `false`, found `no`; did you mean `false`?"
            ),
            (
                "acl: { deny: \"ip:192.0.2.1\" }",
                "weir.yml:1:14: error: `deny`: expected a list of rules such as `[\"cidr:198.51.100.0/24\"]`, found "
                    + "`ip:192.0.2.1`"
            ),
            ("acl: { deny: [ip:bad] }", "weir.yml:1:15: error: `deny`: no rule: ip:bad; did you mean `good`?"),
            (
                "acl: { deny: [ip: 192.0.2.1] }",
                "weir.yml:1:15: error: `deny`: expected a rule, found a mapping: a rule has no blank behind its colon; "
                    + "did you mean `\"ip:192.0.2.1\"`?"
            ),
            (
                "acl: { deny: [[]] }",
                "weir.yml:1:15: error: `deny`: expected a rule such as `cidr:198.51.100.0/24`, found a list"
            ),
            (
                "acl: { deny: [country:DE] }",
                "weir.yml:1:15: error: `deny`: `country:DE` needs a database that says where addresses are, and none "
                    + "is configured: set `geoip: { database: … }`"
            ),
            (
                "acl: { deny: [\"file:list.txt\"] }",
                "weir.yml:1:15: error: `deny`: expected a file such as `file:blocklist.txt`, found `file:list.txt`"
            ),
            ("acl: { log: {} }", "weir.yml:1:13: error: `log`: expected a `path`, or `path: stdout`, found none"),
            ("geoip: {}", "weir.yml:1:8: error: `geoip`: expected a `database`, found none"),
            ("geoip: { database: bad }", "weir.yml:1:20: error: `database`: cannot be opened"),
            (
                "geoip: { database: asn }\nacl: { deny: [country:DE] }",
                "weir.yml:1:20: error: `database`: knows no countries"
            ),
        ])
    func wrong(_ line: String, expected: String) {
        #expect(findings(line + "\n" + route()) == [expected])
    }

    @Test("`allow_local` is global only")
    func localIsGlobal() {
        #expect(
            findings(route("acl: { allow_local: false }")) == [
                "weir.yml:5:12: error: `acl`: unknown key `allow_local`, expected one of `default`, `allow`, `deny`"
            ])
    }

    @Test("A default that lets in no client but this machine is an error, where it is written")
    func noClient() {
        let global = "acl: { default: deny, allow_local: false }\n"
        let expected =
            "weir.yml:1:17: error: `acl`: `default: deny` with `allow_local: false` and without an allow rule lets in "
            + "no client but this machine on route `a`"
        #expect(findings(global + route()) == [expected])
        #expect(findings(global + route("acl: { deny: [\"ip:192.0.2.1\"] }")) == [expected])
        #expect(findings(global + route("acl: { allow: [\"ip:192.0.2.1\"] }")) == [])
        #expect(findings(global + route("acl: { default: allow }")) == [])
        #expect(
            findings("acl: { default: deny, allow_local: false, allow: [\"ip:192.0.2.1\"] }\n" + route()) == [])
        // Behind a route's own default neither global rules nor private addresses are looked at.
        #expect(
            findings("acl: { allow: [\"ip:192.0.2.1\"] }\n" + route("acl: { default: deny }")) == [
                "weir.yml:6:21: error: route `a`: `default: deny` without a rule in the route's `allow` lets in no "
                    + "client but this machine"
            ])
        // A rule that cannot be read was meant to be one.
        #expect(findings("acl: { default: deny, allow_local: false, allow: [[]] }\n" + route()).count == 1)
    }

    @Test("A default of deny with allow_local on is a warning, once, that explains what a gateway does to it")
    func gateway() {
        let text =
            "acl: { default: deny }\nroutes:\n  a: { scheme: tcp, port: 1:20 }\n  b: { scheme: tcp, port: 2:30 }\n"
        let found = findings(text)
        #expect(found.count == 1)
        #expect(
            found.first?.hasPrefix("weir.yml:1:17: warning: `acl`: with `default: deny` and `allow_local` on") == true)
        #expect(found.first?.contains("NAT gateway") == true)
        #expect(findings("acl: { default: deny }\n" + route("acl: { default: allow }")) == [])
        #expect(findings("acl: { default: allow }\n" + route()) == [])
    }

    @Test("A list file is read beside the configuration, once, and its mistakes carry its own name and line")
    func listFile() throws {
        let folder = try TemporaryDirectory("acl")
        let path = try folder.write(
            "weir.yml",
            """
            acl: { deny: ["file:list.txt"], allow: ["file:list.txt"], log: { path: acl.log } }
            routes: { a: { scheme: tcp, port: 1:2 } }
            """)
        let list = try folder.write("list.txt", "192.0.2.1\nip:192.0.2.2\n")
        let loaded = try Configuration.load(path: path, environment: [:], rules: Rules())
        let file = try #require(loaded.configuration.access.deny.first?.file)
        #expect(file.path == list)
        #expect(file.bytes == Array("192.0.2.1\nip:192.0.2.2\n".utf8))
        #expect(loaded.configuration.access.log?.path == folder.file("acl.log"))
        #expect(loaded.dependencies == [FileDependency(path: list, stamp: FileStamp(of: list))])

        try folder.write("list.txt", "192.0.2.1\nbad\n\nbad\n")
        let error = #expect(throws: ConfigurationErrors.self) {
            try Configuration.load(path: path, environment: [:], rules: Rules())
        }
        #expect(error?.diagnostics.map(\.description) == [2, 4].map { "\(list):\($0):1: error: no rule" })
        #expect(error?.dependencies.map(\.path) == [list])
    }

    @Test("A list file that is not there, and one that needs a database, are errors at their entry")
    func missingList() throws {
        let folder = try TemporaryDirectory("acl")
        let path = try folder.write(
            "weir.yml",
            """
            acl: { deny: ["file:none.txt", "file:places.txt", "file:"] }
            routes: { a: { scheme: tcp, port: 1:2 } }
            """)
        try folder.write("places.txt", "country:DE\n")
        let error = #expect(throws: ConfigurationErrors.self) {
            try Configuration.load(path: path, environment: [:], rules: Rules())
        }
        #expect(
            error?.diagnostics.map(\.description) == [
                "\(path):1:15: error: `deny`: `file:none.txt`: cannot read the file: no such file",
                "\(path):1:32: error: `deny`: a rule in `file:places.txt` needs a database that says where addresses "
                    + "are, and none is configured: set `geoip: { database: … }`",
                "\(path):1:51: error: `deny`: expected a file such as `file:blocklist.txt`, found `file:`",
            ])
        // One that is made later mends it: it must be watched, too.
        #expect(error?.dependencies.map(\.path) == [folder.file("none.txt"), folder.file("places.txt")])
    }

    /// The findings in a file with this entry of `deny`, when `before` is in force.
    private static func outcome(
        _ entry: String, list: String, replacing before: Configuration? = nil, in folder: TemporaryDirectory
    ) throws -> (findings: [String], configuration: Configuration?) {
        let path = try folder.write(
            "weir.yml", "acl: { deny: [\(entry)] }\nroutes: { a: { scheme: tcp, port: 1:2 } }\n")
        try folder.write("list.txt", list)
        let fragment = ConfigurationFragment.reading(file: path, environment: [:]).fragment
        do {
            let loaded = try Configuration.load([fragment], rules: Rules(), replacing: before)
            return (loaded.warnings.map(\.message), loaded.configuration)
        } catch {
            #expect(error.diagnostics.allSatisfy { $0.description.hasPrefix("\(path):1:") })
            return (error.diagnostics.map { "error: \($0.message)" }, nil)
        }
    }

    @Test("A list that is empty is a warning at the start, and an error where it had rules until now")
    func emptyList() throws {
        let folder = try TemporaryDirectory("acl")
        let list = folder.file("list.txt")
        let entries = (plain: "\"file:list.txt\"", mapping: "{ file: list.txt }")
        for entry in [entries.plain, entries.mapping] {
            let full = try Self.outcome(entry, list: "192.0.2.1\n192.0.2.2\n", in: folder)
            #expect(full.findings == [])
            #expect(full.configuration?.access.deny.map(\.text) == ["file:list.txt"])
            for text in ["", "# nothing\n\n"] {
                let start = try Self.outcome(entry, list: text, in: folder)
                #expect(start.findings == ["`deny`: `\(list)` has no rule, and so stands for nothing"])
                let reload = try Self.outcome(entry, list: text, replacing: full.configuration, in: folder)
                #expect(
                    reload.findings == [
                        "error: `deny`: expected rules in `\(list)`, which had 2, found none; where that is meant, "
                            + "write `{ file: …, allow_empty: true }`"
                    ])
                // One that was empty before may stay so.
                let again = try Self.outcome(entry, list: text, replacing: start.configuration, in: folder)
                #expect(again.configuration != nil)
            }
        }
    }

    @Test("`allow_empty` says whether a list may be empty: always, or never")
    func allowEmpty() throws {
        let folder = try TemporaryDirectory("acl")
        let full = try Self.outcome("\"file:list.txt\"", list: "192.0.2.1\n", in: folder).configuration
        for before in [nil, full] {
            let always = try Self.outcome(
                "{ file: list.txt, allow_empty: true }", list: "", replacing: before, in: folder)
            #expect(always.findings == [] && always.configuration != nil)
            let never = try Self.outcome(
                "{ file: list.txt, allow_empty: false }", list: "", replacing: before, in: folder)
            #expect(
                never.findings == [
                    "error: `deny`: expected at least one rule in `\(folder.file("list.txt"))` with "
                        + "`allow_empty: false`, found none"
                ])
        }
        let wrong = try Self.outcome("{ allow_empty: maybe }", list: "", in: folder)
        #expect(wrong.findings.count == 2 && wrong.configuration == nil, "\(wrong.findings)")
    }

    @Test("A pipe, a device or a folder in the place of a list is an error, and is not waited for")
    func specialList() throws {
        let folder = try TemporaryDirectory("acl")
        #expect(mkfifo(folder.file("pipe"), 0o600) == 0)
        let path = try folder.write(
            "weir.yml",
            "acl: { deny: [\"file:pipe\", \"file:/dev/null\", \"file:/\"] }\nroutes: { a: { scheme: tcp, port: 1:2 "
                + "} }\n"
        )
        let error = #expect(throws: ConfigurationErrors.self) {
            try Configuration.load(path: path, environment: [:], rules: Rules())
        }
        #expect(
            error?.diagnostics.map(\.message) == [
                "`deny`: `file:pipe`: cannot read the file: it is no regular file",
                "`deny`: `file:/dev/null`: cannot read the file: it is no regular file",
                "`deny`: `file:/`: cannot read the file: it is a directory",
            ])
    }

    @Test("Another list, or another database, is another configuration")
    func equality() throws {
        let folder = try TemporaryDirectory("acl")
        let path = try folder.write(
            "weir.yml",
            "geoip: { database: geo }\nroutes: { a: { scheme: tcp, port: 1:2, acl: { deny: [\"file:list.txt\"] } } }\n")
        try folder.write("geo", "1")
        try folder.write("list.txt", "192.0.2.1\n")
        let one = try Configuration.load(path: path, environment: [:], rules: Rules()).configuration
        #expect(try Configuration.load(path: path, environment: [:], rules: Rules()).configuration == one)
        try folder.write("list.txt", "192.0.2.2\n")
        let two = try Configuration.load(path: path, environment: [:], rules: Rules()).configuration
        #expect(two.routes != one.routes && two.geoip == one.geoip)
        try folder.replace("geo", "22")
        let three = try Configuration.load(path: path, environment: [:], rules: Rules()).configuration
        #expect(three.routes == two.routes && three.geoip != two.geoip)
    }
}
