import Foundation
import Testing

@testable import WeirConfiguration

@Suite("The table of settings") struct SettingTableTests {
    /// Values that name files of a machine.
    private static let files: Set = [
        "bearer_token_file", "users", "users_file", "database",
    ]

    @Test("Every example of a route's setting is read, and written as what reads the same again")
    func routeExamples() throws {
        for setting in RouteConfiguration.settings {
            for variant in setting.variants {
                let scheme = variant.transport == .udp ? "udp" : "tcp"
                // The name of an agent is one of `agents` (AgentTests).
                for example in variant.examples where !["scheme", "port", "agent"].contains(setting.key) {
                    let read = try #require(
                        try load(route("\(setting.key): \(example)", scheme: scheme)).routes.first, "\(setting.key)")
                    guard let text = variant.text(read) else { continue }
                    let again = try #require(
                        try load(route("\(setting.key): \(text)", scheme: scheme)).routes.first,
                        "\(setting.key): \(text)")
                    #expect(read == again, "\(setting.key): \(example) is written as \(text)")
                }
                #expect(Set(variant.examples).count >= 2, "\(setting.key)")
            }
        }
    }

    /// Settings of a route that may not be left out, or where another one stands in their place.
    private static let without = [
        "scheme", "port", "host", "upstreams", "bind", "balance", "freebind", "on_down", "when_none",
    ]
    /// Times that every connection or session has.
    private static let always = [
        "dial_timeout", "half_close_timeout", "pre_dial_timeout", "unassured_timeout", "idle_timeout", "hello_timeout",
        "handshake_timeout",
    ]

    @Test("Every optional setting of a route takes `off`, which takes back the value of `defaults`")
    func off() throws {
        for setting in RouteConfiguration.settings where !Self.without.contains(setting.key) {
            for variant in setting.variants {
                if Self.always.contains(setting.key), variant.transport == .udp || setting.key != "idle_timeout" {
                    continue
                }
                // A switch is off by `false`.
                if variant.examples.contains("true") { continue }
                let scheme = variant.transport == .udp ? "udp" : "tcp"
                let plain = try #require(try load(route("", scheme: scheme)).routes.first)
                let example = try #require(variant.examples.first)
                let text = """
                    defaults: { \(setting.key): \(example) }
                    \(route("\(setting.key): off", scheme: scheme))
                    """
                let read = try #require(try load(text).routes.first, "\(setting.key)")
                // Keepalive and ejection are on by default: there `off` is not the default, and not the value before.
                if ["keepalive", "eject"].contains(setting.key) {
                    #expect(variant.text(read) == "off")
                } else {
                    #expect(variant.isEqual(read, plain), "\(setting.key): \(variant.text(read) ?? "none")")
                }
            }
        }
    }

    @Test("Settings and sections outside of routes that may be left out take `off`, too")
    func offElsewhere() throws {
        let rest = """
            exporter: { auth: off, tls: off }
            geoip: off
            acl: { log: off }
            limits: { max_sessions: off, max_connections_per_ip: off, rate_limit: off, bandwidth: off }

            """
        let read = try load(rest + route("bandwidth: { ingress: off, per_connection: off }"))
        let plain = try load(route(""))
        #expect(read.exporter == plain.exporter && read.access == plain.access && read.limits == plain.limits)
        #expect(read.geoip == nil && read.routes == plain.routes)
    }

    @Test("Defaults in words are no values that a setting could have")
    func defaultWords() {
        let route = RouteConfiguration(name: "", scheme: .tcp, listenPort: 0, upstreamPort: 0)
        for setting in RouteConfiguration.settings where setting.defaultWords != nil && setting.requirement == nil {
            let text = setting.variants.first?.text(route)
            #expect(text == nil || setting.key == "proxy_protocol", "\(setting.key) documents its default twice")
        }
    }

    /// Every key of a schema with the keys on the way to it.
    private func keys(_ schema: Any, _ definitions: [String: Any], below path: [String] = []) -> Set<[String]> {
        guard path.count < 8, let members = schema as? [String: Any] else { return [] }
        var found: Set<[String]> = []
        if let reference = members["$ref"] as? String, let name = reference.split(separator: "/").last,
            let target = definitions[String(name)]
        {
            found.formUnion(keys(target, definitions, below: path))
        }
        for (key, value) in members["properties"] as? [String: Any] ?? [:] {
            found.insert(path + [key])
            found.formUnion(keys(value, definitions, below: path + [key]))
        }
        for value in members["anyOf"] as? [Any] ?? [] { found.formUnion(keys(value, definitions, below: path)) }
        if path == ["routes"], let value = members["additionalProperties"] {
            found.formUnion(keys(value, definitions, below: path + ["a"]))
        }
        return found
    }

    @Test("The schema and the reader agree on every key")
    func schemaKeys() throws {
        let schema = try #require(
            try JSONSerialization.jsonObject(with: Data(Configuration.schema.utf8)) as? [String: Any])
        let definitions = try #require(schema["$defs"] as? [String: Any])
        let all = keys(schema, definitions)
        #expect(all.count > 100)
        for path in all {
            // What it stands in, with the key itself, and with one that differs from it in a letter.
            func unknown(_ key: String) -> Bool {
                let inner = path.dropLast().reversed().reduce("{ \(key): x }") { "{ \($1): \($0) }" }
                return errors(inner + "\n").contains { $0.contains("unknown key `\(key)`") }
            }
            let key = path[path.count - 1]
            #expect(!unknown(key), "the reader does not know \(path.joined(separator: "."))")
            #expect(unknown(key + "_"), "the reader takes \(path.joined(separator: "."))_")
        }
        // And each key that the reader lists is in the schema.
        for keys in [
            Configuration.section.keys.supported.map { [$0] },
            RouteConfiguration.section.keys.supported.map { ["routes", "a", $0] },
        ] {
            #expect(all.isSuperset(of: keys))
        }
    }

    @Test("A change is told with the old value and the new one, and a route as a whole where it comes or goes")
    func changes() throws {
        let old = try load("shutdown: { delay: 1s }\n" + route("keepalive: off", "host: a"))
        let new = try load(
            "workers: 2\n"
                + route("upstreams: [a, b]", "dial_timeout: 1m").replacing(
                    "routes:", with: "routes:\n  b: {scheme: udp, port: 53:54}"))
        #expect(
            new.changes(from: old).map(\.description) == [
                "workers: auto is now 2", "shutdown.delay: 1s is now 0s",
                "routes.b: none is now udp://*:53 to localhost:54",
                "routes.a.host: a is now none", "routes.a.upstreams: none is now [a, b]",
                "routes.a.dial_timeout: 5s is now 1m",
                "routes.a.keepalive: off is now {idle: 60s, interval: 10s, count: 6}",
            ])
        #expect(old.changes(from: new).last?.description == "routes.b: udp://*:53 to localhost:54 is now none")
        #expect(new.changes(from: new) == [])
        #expect(new.keepingFixedSettings(of: old).workers == .automatic)
    }
}
