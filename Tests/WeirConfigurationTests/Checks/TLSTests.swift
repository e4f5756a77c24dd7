import Glibc
import NetworkTypes
import TestSupport
import Testing

@testable import WeirConfiguration

/// Says what tests want of files, by their content.
private struct Validation: CertificateValidation {
    var isSupported = true
    var now: Int64 { 1_000 }

    func check(chain: [UInt8], key: [UInt8]) -> CertificateCheckResult {
        var result = CertificateCheckResult()
        result.names = String(decoding: chain, as: UTF8.self)
        result.expiry = chain == Array("old".utf8) ? 1 : 2_000
        if key != Array("key".utf8) {
            result.problem = "the key is wrong"
            result.isAboutKey = true
        }
        return result
    }

    func check(bundle: [UInt8]) -> CertificateCheckResult {
        var result = CertificateCheckResult()
        if bundle != Array("zip".utf8) { result.problem = "no archive" }
        return result
    }

    func check(authorities: [UInt8]) -> String? { authorities == Array("ca".utf8) ? nil : "no authority" }
}

/// Knows which rules look at names.
private struct NameRules: AccessRuleValidation {
    func check(rule text: String) -> AccessRuleCheckResult {
        AccessRuleCheckResult(judgesNames: text.hasPrefix("name:"))
    }

    func check(list bytes: [UInt8]) -> AccessRuleCheckResult {
        AccessRuleCheckResult(ruleCount: 1, judgesNames: bytes.starts(with: "name:".utf8))
    }

    func check(database path: String, for keys: Set<AccessRuleCheckResult.LocationKey>) -> String? { nil }
}

@Suite("TLS in a configuration")
struct TLSTests {
    let folder: TemporaryDirectory

    init() throws {
        folder = try TemporaryDirectory("tls")
        for (name, content) in [
            ("a.pem", "a.example.net"), ("a.key", "key"), ("old.pem", "old"), ("bad.key", "secret"), ("ca.pem", "ca"),
        ] { try folder.write(name, content) }
        // A key that others may read is warned of.
        for name in ["a.key", "bad.key"] { chmod(folder.file(name), 0o600) }
    }

    private func load(_ text: String, isSupported: Bool = true) throws -> Configuration.Loaded {
        let path = try folder.write("weir.yml", text)
        return try Configuration.load(
            path: path, environment: [:], certificates: Validation(isSupported: isSupported))
    }

    private func errors(_ text: String, isSupported: Bool = true) throws -> [String] {
        do {
            _ = try load(text, isSupported: isSupported)
            return []
        } catch let error as ConfigurationErrors {
            return error.diagnostics.map(\.description)
        }
    }

    private func route(_ more: String) -> String {
        "tls: { certificates: { certificate: a.pem, key: a.key } }\n"
            + "routes:\n  r: { scheme: tcp, bind: 127.0.0.1, port: \"8443:80\", host: 10.0.0.1, \(more) }\n"
    }

    @Test("Everything is read")
    func whole() throws {
        let loaded = try load(
            """
            tls: { certificates: [{ certificate: a.pem, key: a.key }], minimum: 1.3 }
            routes:
              in: { scheme: tcp, bind: 127.0.0.1, port: "8883:1883", host: 10.0.0.1,
                tls: { client_ca: ca.pem, alpn: [mqtt, h2], minimum: "1.2" }, handshake_timeout: 3s }
              out: { scheme: tcp, bind: 127.0.0.1, port: "389:636", host: 10.0.0.1,
                upstream_tls: { ca: ca.pem, server_name: Ldap.Example.net, certificate: a.pem, key: a.key } }
            """)
        let configuration = loaded.configuration
        #expect(configuration.tls.minimum == .tls13)
        #expect(configuration.tls.certificates.map(\.certificate.text) == ["a.pem"])
        let tls = try #require(configuration.routes[0].tls)
        #expect(tls.clientAuthorities?.path == folder.file("ca.pem"))
        #expect(tls.protocols == ["mqtt", "h2"] && tls.minimum == .tls12)
        #expect(configuration.routes[0].tcp?.handshakeTimeout == .seconds(3))
        let upstream = try #require(configuration.routes[1].upstreamTLS)
        #expect(upstream.serverName == "ldap.example.net" && upstream.verifies && upstream.own != nil)
        #expect(loaded.certificates.map(\.names) == ["a.example.net"])
        #expect(loaded.warnings.isEmpty)
    }

    @Test("`true`, `on`, `off` and `false` say whether a route has it", arguments: ["tls", "upstream_tls"])
    func words(key: String) throws {
        for (word, isOn) in [("true", true), ("on", true), ("off", false), ("false", false)] {
            let found = try load(route("\(key): \(word)")).configuration.routes[0]
            #expect((key == "tls" ? found.tls != nil : found.upstreamTLS != nil) == isOn, "\(word)")
        }
        #expect(try errors(route("\(key): maybe"))[0].contains("expected `true`, `off` or a mapping"))
    }

    @Test("Faults of files are errors at the line that names them, without their content")
    func faults() throws {
        let base = "routes:\n  r: { scheme: tcp, bind: 127.0.0.1, port: \"8443:80\", host: 10.0.0.1, tls: "
        func only(_ more: String) throws -> String {
            let found = try errors(base + more + " }\n")
            #expect(found.count == 1, "\(found)")
            return found.first ?? ""
        }
        let wrong = try only("{ certificates: { certificate: a.pem, key: bad.key } }")
        #expect(wrong.contains("weir.yml:2:") && wrong.contains("`key`: `bad.key`: the key is wrong"), "\(wrong)")
        #expect(!wrong.contains("secret"))
        #expect(
            try only("{ certificates: { certificate: none.pem, key: a.key } }").contains("`none.pem`: cannot read"))
        #expect(try only("{ certificates: { certificate: a.pem } }").contains("expected a `key`"))
        #expect(try only("true").contains("`tls` needs a certificate"))
        #expect(try errors(route("tls: { client_ca: a.pem }"))[0].contains("no authority"))
        #expect(try errors(route("tls: { minimum: 1.1 }"))[0].contains("expected one of `1.2`, `1.3`"))
        #expect(try errors(route("upstream_tls: { certificate: a.pem }"))[0].contains("found no `key`"))
        #expect(try errors(route("upstream_tls: { server_name: \"*.a.net\" }"))[0].contains("expected a name"))
        #expect(try errors(route("upstream_tls: true, starttls: postgres"))[0].contains("needs `tls`"))
        let inline = try only("{ certificates: { certificate: \"-----BEGIN CERTIFICATE-----\", key: a.key } }")
        #expect(inline.contains("belongs into the file"))
    }

    @Test("Upstreams without a name of their own need a `server_name`")
    func serverName() throws {
        for upstream in ["{ srv: _ldap._tcp.example.net }", "\"unix:/run/db.sock\""] {
            let text = "routes:\n  r: { scheme: tcp, bind: 127.0.0.1, port: \"389:636\", upstreams: [\(upstream)], "
            #expect(try errors(text + "upstream_tls: true }\n")[0].contains("needs a `server_name`"))
            #expect(try errors(text + "upstream_tls: { server_name: a.example.net } }\n") == [])
            #expect(try errors(text + "upstream_tls: { verify: off } }\n") == [])
        }
    }

    @Test("What is risky is warned of")
    func warnings() throws {
        let careless = try load(route("upstream_tls: { verify: off }")).warnings
        #expect(careless.map(\.message).contains { $0.contains("any server can pass for the upstream") })
        let old = try load(
            "tls: { certificates: { certificate: old.pem, key: a.key } }\n"
                + "routes:\n  r: { scheme: tcp, bind: 127.0.0.1, port: \"8443:443\", host: 10.0.0.1, tls: true }\n")
        #expect(old.warnings.map(\.message).contains { $0.contains("has ended") })
        #expect(old.advice.map(\.message).contains { $0.contains("sends clear text to port 443") })
    }

    @Test("The exporter has a certificate of its own, and perhaps an authority for its clients")
    func exporter() throws {
        let rest = "\n" + route("tls: true")
        let loaded = try load("exporter: { tls: { certificate: a.pem, key: a.key, client_ca: ca.pem } }" + rest)
        let tls = try #require(loaded.configuration.exporter.tls)
        #expect(tls.files.certificate.path == folder.file("a.pem") && tls.clientAuthorities?.text == "ca.pem")
        #expect(loaded.configuration.allCertificates.count == 1)
        #expect(loaded.certificates.map(\.path) == ["a.pem"])
        #expect(try load("exporter: { tls: off }" + rest).configuration.exporter.tls == nil)
        for (text, message) in [
            ("{ certificate: a.pem }", "expected a `key`"), ("{ key: a.key }", "expected a `certificate`"),
            ("{ certificate: a.pem, key: bad.key }", "the key is wrong"),
            ("{ certificate: a.pem, key: a.key, client_ca: a.pem }", "no authority"),
        ] {
            let found = try errors("exporter: { tls: \(text) }" + rest)
            #expect(found.first?.contains(message) == true, "\(found)")
        }
        let plain = "routes:\n  r: { scheme: tcp, bind: 127.0.0.1, port: \"389:636\", host: 10.0.0.1 }\n"
        #expect(
            try errors("exporter: { tls: { certificate: a.pem, key: a.key } }\n" + plain, isSupported: false)[0]
                .contains("package trait `TLS`"))
    }

    @Test("Rules about names need clients that have to show a certificate")
    func nameRules() throws {
        func errors(_ text: String) throws -> [String] {
            let path = try folder.write("weir.yml", text)
            do throws(ConfigurationErrors) {
                _ = try Configuration.load(
                    path: path, environment: [:], rules: NameRules(), certificates: Validation())
                return []
            } catch {
                return error.diagnostics.map(\.description)
            }
        }
        let rule = "acl: { allow: [\"name:*.example.net\"] }"
        #expect(try errors(route("tls: { client_ca: ca.pem }, \(rule)")) == [])
        let found = try errors(route("tls: true, \(rule)"))
        #expect(found.count == 1 && found[0].contains("`name:*.example.net` needs `tls: { client_ca: … }`"), "\(found)")
        #expect(try errors(rule + "\n" + route("tls: { client_ca: ca.pem }")) == [])
        #expect(try errors(rule + "\n" + route("tls: true")).count == 1)
        try folder.write("names.txt", "name:device-7.example.net\n")
        #expect(try errors(route("tls: true, acl: { deny: [\"file:names.txt\"] }")).count == 1)
        #expect(try errors(route("acl: { deny: [\"ip:192.0.2.1\"] }")) == [])
    }

    @Test("Checks speak TLS where the upstream does, where it is said, and with settings of their own")
    func checks() throws {
        func tls(_ more: String) throws -> UpstreamTLS? { try load(route(more)).configuration.routes[0].checkTLS }
        #expect(try tls("health: tls")?.verifies == true)
        #expect(try tls("health: tcp, upstream_tls: true") == nil)
        #expect(try tls("health: http") == nil)
        let follows = try #require(
            try tls("health: http, upstream_tls: { ca: ca.pem, server_name: a.example.net, alpn: h2 }"))
        #expect(follows.authorities?.text == "ca.pem" && follows.serverName == "a.example.net")
        #expect(follows.protocols == ["http/1.1"])
        #expect(try tls("health: { check: http, port: 8008 }, upstream_tls: true") == nil)
        #expect(try tls("health: { check: http, port: 8008, tls: true }, upstream_tls: true") != nil)
        #expect(try tls("health: { check: redis, tls: false }, upstream_tls: true") == nil)
        let own = try #require(
            try tls("health: { check: tls, ca: ca.pem, server_name: b.example.net }, upstream_tls: { verify: off }"))
        #expect(own.verifies && own.authorities?.text == "ca.pem" && own.serverName == "b.example.net")
        #expect(try tls("health: { check: redis, verify: off }")?.verifies == false)
        for (more, message) in [
            ("health: { check: tcp, ca: ca.pem }", "`ca` is for `check: tls`"),
            ("health: { check: tls, ca: a.pem }", "no authority"),
            ("health: { check: redis, tls: false, ca: ca.pem }", "stands beside settings of TLS"),
            ("health: tls, sni: a.example.net, starttls: postgres", "expected `check: postgres`"),
        ] {
            let found = try errors(route(more))
            #expect(found.first?.contains(message) == true, "\(more): \(found)")
        }
        let service =
            "routes:\n  r: { scheme: tcp, bind: 127.0.0.1, port: \"389:636\", upstreams: [{ srv: _a._tcp.b.net }], "
        #expect(try errors(service + "health: tls }\n")[0].contains("needs a `server_name`"))
        #expect(try errors(route("health: tls"), isSupported: false).first?.contains("package trait `TLS`") == true)
    }

    @Test("A program without TLS says so")
    func unsupported() throws {
        #expect(try errors(route("tls: true"), isSupported: false)[0].contains("package trait `TLS`"))
        #expect(
            try errors(
                "routes:\n  r: { scheme: tcp, bind: 127.0.0.1, port: \"389:636\", host: 10.0.0.1, upstream_tls: true }\n",
                isSupported: false)[0].contains("package trait `TLS`"))
    }
}
