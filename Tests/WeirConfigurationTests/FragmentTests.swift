import Testing

@testable import WeirConfiguration

/// The fragment of a container's labels: `a.port` is the port of the route `a`.
func labels(_ container: String, _ labels: KeyValuePairs<String, String>) -> ConfigurationFragment {
    let whole = Origin.label(container: container, name: nil)
    var routes: [(String, [ConfigurationNode.Entry])] = []
    for (name, text) in labels {
        let origin = Origin.label(container: container, name: name)
        let parts = name.split(separator: ".", maxSplits: 1).map(String.init)
        let entry = ConfigurationNode.Entry(
            key: parts[1], keyOrigin: origin,
            value: ConfigurationNode(origin: origin, content: .scalar(text: text, written: text)))
        if let index = routes.firstIndex(where: { $0.0 == parts[0] }) {
            routes[index].1.append(entry)
        } else {
            routes.append((parts[0], [entry]))
        }
    }
    let entries = routes.map { name, entries in
        ConfigurationNode.Entry(
            key: name, keyOrigin: entries[0].keyOrigin,
            value: ConfigurationNode(origin: whole, content: .mapping(entries)))
    }
    let all = ConfigurationNode.Entry(
        key: "routes", keyOrigin: whole, value: ConfigurationNode(origin: whole, content: .mapping(entries)))
    return ConfigurationFragment(root: ConfigurationNode(origin: whole, content: .mapping([all])))
}

@Suite("Fragments of several sources") struct FragmentTests {
    private func file(_ text: String, named name: String = "weir.yml") -> ConfigurationFragment {
        ConfigurationFragment(yaml: Array(text.utf8), file: name, environment: [:])
    }

    private func errors(_ fragments: ConfigurationFragment...) -> [String] {
        do {
            _ = try Configuration.load(fragments)
            return []
        } catch {
            return error.diagnostics.map(\.description)
        }
    }

    private let web = labels("web", ["web.scheme": "tcp", "web.port": "8000:8081"])

    @Test("Routes of a file and of labels are one configuration, and defaults of the file hold for both")
    func merges() throws {
        let text = "log: { level: error }\ndefaults: { dial_timeout: 2s }\n" + route()
        let loaded = try Configuration.load([file(text), web])
        #expect(loaded.configuration.routes.map(\.name) == ["a", "web"])
        #expect(loaded.configuration.routes.map { $0.tcp?.dialTimeout } == [.seconds(2), .seconds(2)])
        #expect(loaded.configuration.log.level == .error)
        #expect(loaded.origin(ofRoute: "web") == .label(container: "web", name: "web.scheme"))
        #expect(
            loaded.origin(of: "routes", "a", "port") == .file("weir.yml", SourceLocation(line: 6, column: 11)))
        #expect(try Configuration.load([web, file(text)]).configuration.routes.map(\.name) == ["web", "a"])
    }

    @Test("Sections of two files merge key by key")
    func sections() throws {
        let one = file("shutdown: { delay: 1s }\nacl:\n" + route(), named: "a.yml")
        let two = file("shutdown: { drain_timeout: 2s }\nacl: { default: allow }\n", named: "b.yml")
        let configuration = try Configuration.load([one, two]).configuration
        #expect(configuration.shutdown == Configuration.Shutdown(delay: .seconds(1), drainTimeout: .seconds(2)))
    }

    @Test("A route that two sources have is a collision that names both, whichever comes first")
    func collisions() {
        let text = "routes: { web: { scheme: tcp, port: 81:1 } }\n"
        #expect(
            errors(file(text), web) == [
                "container `web`, label `web.scheme`: error: route `web` is configured twice, first by weir.yml:1:11"
            ])
        #expect(
            errors(web, file(text)) == [
                "weir.yml:1:11: error: route `web` is configured twice, first by container `web`, label `web.scheme`"
            ])
        #expect(
            errors(web, labels("other", ["web.port": "1"]), file("log: {}\n")) == [
                "container `other`, label `web.port`: error: route `web` is configured twice, first by container "
                    + "`web`, label `web.scheme`"
            ])
    }

    @Test("So is a value, a key of `defaults`, and a section that is none")
    func valueCollisions() {
        let one = file(
            "workers: 1\nlog: { level: info }\ndefaults: { host: a }\nshutdown: { delay: 1s }\n" + route(), named: "a")
        let two = file(
            "log: { level: info, format: text }\nworkers: 2\ndefaults: { host: b }\nshutdown: 5\n", named: "b")
        #expect(
            errors(one, two) == [
                "b:1:8: error: `log.level` is configured twice, first by a:2:8",
                "b:2:1: error: `workers` is configured twice, first by a:1:1",
                "b:3:13: error: `defaults.host` is configured twice, first by a:3:13",
                "b:4:11: error: `shutdown` is configured twice, first by a:4:11",
            ])
    }

    @Test("An error names its own origin, and hides none of another source")
    func errorsOfFragments() {
        let bad = labels("db", ["db.scheme": "tcp", "db.port": "0", "db.dail_timeout": "5s", "db.idle_timeout": "5"])
        #expect(
            errors(file("workers: 65\n" + route()), bad) == [
                "container `db`, label `db.dail_timeout`: error: route `db`: unknown key `dail_timeout`; did you mean "
                    + "`dial_timeout`?",
                "container `db`, label `db.idle_timeout`: error: `idle_timeout`: expected a duration such as "
                    + "`300ms`, `5s` or `1m30s`, found `5` without a unit; did you mean `5s`?",
                "container `db`, label `db.port`: error: `port`: expected a port from 1 to 65535, found `0`",
                "weir.yml:1:10: error: `workers`: expected `auto` or a number from 1 to 64, found `65`",
            ])
        let broken = file("a: b: c\n", named: "broken.yml")
        #expect(errors(broken, bad).count == 4)
        #expect(errors(broken, bad).contains { $0.hasPrefix("broken.yml:1:5: error: invalid YAML") })
    }

    @Test("Listeners that clash name the other's origin, and a line where it is the same file")
    func clashes() {
        #expect(
            errors(file("routes: { b: { scheme: tcp, port: 8000:1, host: h } }\n"), web) == [
                "container `web`, label `web.port`: error: route `web`: the TCP listener *:8000 is also the "
                    + "listener of route `b` (weir.yml:1:35)"
            ])
    }

    @Test("Labels name no files, and what a terminal would obey is escaped")
    func hostileLabels() {
        let found = errors(labels("a\u{1b}[31m", ["x.scheme": "tcp", "x.port": "1:2", "x.\u{7}": "1"]))
        #expect(found.count == 1 && !found[0].unicodeScalars.contains { $0.value < 0x20 })
        #expect(Origin.label(container: "a", name: nil).folder == nil)
    }
}
