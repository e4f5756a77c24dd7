import Glibc
import NetworkTypes
import TestSupport
import Testing

@testable import WeirConfiguration

/// Takes every certificate, and one archive.
private struct Validation: CertificateValidation {
    var isSupported = true
    var now: Int64 { 1_000 }

    func check(chain: [UInt8], key: [UInt8]) -> CertificateCheckResult {
        var result = CertificateCheckResult()
        result.names = "edge-1"
        result.expiry = 2_000
        return result
    }

    func check(bundle: [UInt8]) -> CertificateCheckResult {
        var result = check(chain: [], key: [])
        if bundle != Array("zip".utf8) { result.problem = "it is no archive" }
        return result
    }

    func check(authorities: [UInt8]) -> String? { nil }
}

@Suite("Agents in a configuration") struct AgentTests {
    let folder: TemporaryDirectory

    init() throws {
        folder = try TemporaryDirectory("agents")
        for (name, content) in [
            ("edge.zip", "zip"), ("bad.zip", "no"), ("ca.pem", "a"), ("a.pem", "b"), ("a.key", "c"),
        ] {
            try folder.write(name, content)
            chmod(folder.file(name), 0o600)
        }
    }

    private static let edge = "agents: { edge-1: { address: agent.example.net, bundle: edge.zip } }\n"

    private func load(_ text: String, isSupported: Bool = true) throws -> Configuration.Loaded {
        try folder.write("weir.yml", text)
        return try Configuration.load(
            path: folder.file("weir.yml"), environment: [:], certificates: Validation(isSupported: isSupported))
    }

    private func errors(_ text: String, isSupported: Bool = true) throws -> [String] {
        do {
            _ = try load(text, isSupported: isSupported)
            return []
        } catch let error as ConfigurationErrors {
            return error.diagnostics.map { "\($0.origin.location.map { "\($0.line)" } ?? "?"): \($0.message)" }
        }
    }

    @Test("An agent has an address, credentials and the times of its probes")
    func agents() throws {
        let loaded = try load(
            """
            agents:
              edge-1: { address: agent.example.net, bundle: edge.zip }
              edge-2:
                address: "[2001:db8::1]:99"
                ca: ca.pem
                certificate: a.pem
                key: a.key
                probe: { interval: 30s, timeout: 2s }
            routes:
              a: { scheme: tcp, port: 1, host: 127.0.0.1, agent: edge-1 }
            """)
        let agents = loaded.configuration.agents
        #expect(agents.map(\.name) == ["edge-1", "edge-2"])
        #expect(agents.map(\.address.description) == ["agent.example.net:8890", "[2001:db8::1]:99"])
        #expect(
            agents[0].files.map(\.text) == ["edge.zip"] && agents[1].files.map(\.text) == ["ca.pem", "a.pem", "a.key"])
        #expect(agents[0].probe == AgentConfiguration.Probe() && agents[1].probe.interval == .seconds(30))
        #expect(loaded.certificates.map(\.path) == ["edge.zip", "a.pem"])
        #expect(loaded.warnings.isEmpty)
    }

    @Test("A route's agent is that of each upstream which names none, and a part of its label")
    func upstreams() throws {
        let route = try load(
            Self.edge + """
                routes:
                  a:
                    scheme: tcp
                    port: "1:22"
                    agent: edge-1
                    upstreams: [db-1, { host: db-2, agent: off }, { host: "2001:db8::1", port: 7 }]
                """
        ).configuration.routes[0]
        #expect(route.upstreams.map(\.agent) == ["edge-1", nil, "edge-1"])
        #expect(
            route.upstreamTexts == ["db-1:22 via edge-1", "db-2:22", "[2001:db8::1]:7 via edge-1"])
        let targets = try route.targets
        #expect(targets.map(\.description) == route.upstreamTexts)
        #expect(targets[0].host == .name("agent.example.net") && targets[0].port == 8890)
        let shifted = targets[0].shifted(by: 3)
        #expect(shifted.port == 8890 && shifted.behindAgent?.port == 25)
        #expect(targets[2].shifted(by: 3) == targets[2])
    }

    @Test("What stands in `host` keeps its short form, and another agent or another address is another route")
    func changes() throws {
        let text = "routes: { a: { scheme: tcp, port: 1, host: db-1, agent: edge-1 } }\n"
        let old = try load(Self.edge + text).configuration
        #expect(old.routes[0].host == .name("db-1"))
        let moved = try load(
            "agents: { edge-1: { address: \"other.example.net:1\", bundle: edge.zip } }\n" + text
        ).configuration
        #expect(moved.routes[0] != old.routes[0])
        #expect(moved.changes(from: old).map(\.path) == ["agents"])
        let direct = try load(Self.edge + text.replacing("edge-1", with: "off")).configuration
        #expect(Set(direct.changes(from: old).map(\.path)).contains("routes.a.agent"))
    }

    @Test("A listener's own port behind an agent is no loop")
    func loops() throws {
        #expect(
            try errors(Self.edge + "routes: { a: { scheme: tcp, port: 22, host: 127.0.0.1, agent: edge-1 } }\n") == [])
    }

    @Test(
        "Every mistake is told with its line",
        arguments: [
            (
                "{ scheme: tcp, port: 1, host: a, agent: edge-2 }",
                "expected `agent` to be one of `agents`, and `edge-2` is not"
            ),
            ("{ scheme: udp, port: 1, host: a, agent: edge-1 }", "UDP comes with DTLS"),
            ("{ scheme: tcp+udp, port: 1, host: a, agent: edge-1 }", "UDP comes with DTLS"),
            ("{ scheme: tcp, port: 1, host: \"unix:/run/a\", agent: edge-1 }", "is a Unix socket"),
            (
                "{ scheme: tcp, port: 1, host: a, agent: edge-1, upstream_tls: true }",
                "Leave `upstream_tls` and `tls` out, so that clients speak TLS with the upstream through the tunnel, or"
            ),
            ("{ scheme: tcp, port: 1, host: a, agent: edge-1, health: { check: tls } }", "a check that speaks TLS"),
            ("{ scheme: tcp, port: 1, upstreams: { srv: _a._tcp.b }, agent: edge-1 }", "beside `srv`"),
            ("{ scheme: tcp, port: 1, agent: edge-1, upstreams: [a, { host: a, agent: edge-1 }] }", "is named twice"),
        ])
    func routes(route: String, message: String) throws {
        let found = try errors(Self.edge + "routes:\n  a: \(route)\n")
        #expect(found.count == 1 && found.allSatisfy { $0.hasPrefix("3: ") && $0.contains(message) }, "\(found)")
    }

    @Test(
        "Mistakes of an agent itself, too",
        arguments: [
            ("{ bundle: edge.zip }", "expected an `address`"),
            ("{ address: a }", "expected a `bundle`"),
            ("{ address: a, bundle: bad.zip }", "`bundle`: `bad.zip`: it is no archive"),
            ("{ address: a, bundle: none.zip }", "no such file"),
            ("{ address: a, bundle: edge.zip, ca: ca.pem }", "found both"),
            ("{ address: a, ca: ca.pem, key: a.key }", "found a part of them"),
            ("{ address: \"unix:/run/a\", bundle: edge.zip }", "expected an address"),
            ("{ address: a, bundle: edge.zip, probe: { interval: 1s, timeout: 2s } }", "expected a `timeout` within"),
        ])
    func agentMistakes(agent: String, message: String) throws {
        let found = try errors(
            "agents:\n  edge-1: \(agent)\nroutes:\n  a: { scheme: tcp, port: 1, host: a }\n")
        #expect(found.count == 1 && found.allSatisfy { $0.hasPrefix("2: ") && $0.contains(message) }, "\(found)")
    }

    @Test("A program without TLS refuses agents")
    func withoutTLS() throws {
        let found = try errors(Self.edge + "routes: { a: { scheme: tcp, port: 1, host: a } }\n", isSupported: false)
        #expect(found.count == 1 && found[0].contains("built without TLS"))
    }
}
