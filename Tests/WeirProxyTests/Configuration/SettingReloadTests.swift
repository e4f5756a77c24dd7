import Glibc
import TestSupport
import Testing

@testable import WeirConfiguration
@testable import WeirProxy

/// A hash of a made-up password.
private let bcrypt = "$2b$12$abcdefghijklmnopqrstuufJyGQz74MaXA58G4n4SAlu8WLjGODFe"
private let sha512 =
    "$6$weirtest$Qll0NVcpycHM/9KuqbUPZgIWPHShXbCscULmkwFuEtNxrYLqR75K2OhCP0QlPZCIskmG6fInbDpC6c9uLbW9.."

/// The smallest file with a route of each transport, in which values can be set by their paths.
private struct SettingsFile {
    private(set) var values: [String: String]

    init(exporter: UInt16, tcp: UInt16, udp: UInt16) {
        values = [
            "exporter.listen": "127.0.0.1:\(exporter)", "workers": "1", "shutdown.drain_timeout": "1s",
            "routes.t.scheme": "tcp4", "routes.t.bind": "127.0.0.1", "routes.t.port": "\"\(tcp):9\"",
            "routes.u.scheme": "udp4", "routes.u.bind": "127.0.0.1", "routes.u.port": "\"\(udp):9\"",
        ]
    }

    func setting(_ more: [String: String]) -> SettingsFile {
        var file = self
        file.values.merge(more) { $1 }
        return file
    }

    var text: String {
        var lines: [String] = []
        write(values.map { ($0.key.split(separator: ".").map(String.init), $0.value) }, to: &lines, depth: 0)
        return lines.joined(separator: "\n") + "\n"
    }

    private func write(_ entries: [([String], String)], to lines: inout [String], depth: Int) {
        let margin = String(repeating: "  ", count: depth)
        let keys = Set(entries.compactMap { $0.0.first }).sorted()
        for key in keys {
            let inner = entries.filter { $0.0.first == key }
            if inner.count == 1, inner[0].0.count == 1 {
                lines.append("\(margin)\(key): \(inner[0].1)")
            } else {
                lines.append("\(margin)\(key):")
                write(inner.map { (Array($0.0.dropFirst()), $0.1) }, to: &lines, depth: depth + 1)
            }
        }
    }
}

/// Every setting of the table is changed in a running proxy, and the reload must notice it.
struct SettingReloadTests {
    /// Settings that cannot stand without others.
    private static func companions(of path: String) -> [String: String] {
        if path.hasPrefix("agent.") { return agent }
        guard path.hasPrefix("docker."), path != "docker.endpoint" else { return companions[path] ?? [:] }
        return ["docker.endpoint": "\"unix:///run/weir-test.sock\""].merging(companions[path] ?? [:]) { $1 }
    }

    /// An agent, of which no setting can stand alone.
    private static let agent = [
        "agent.name": "edge-1", "agent.listen": "127.0.0.1:\((try? Ports.free()) ?? 0)", "agent.ca": "authority-1.pem",
        "agent.certificate": "pair-1.pem", "agent.key": "pair-1.key", "agent.allow": "[\"tcp:127.0.0.1:22\"]",
    ]

    /// Agents of these names, on which nothing listens.
    private static func agents(_ names: String...) -> String {
        let each = names.map {
            "\($0): {address: \"127.0.0.1:9\", ca: authority-1.pem, certificate: pair-1.pem, key: pair-1.key}"
        }
        return "{\(each.joined(separator: ", "))}"
    }

    private static let companions: [String: [String: String]] = [
        "docker.certificate": ["docker.key": "key.pem"], "docker.key": ["docker.certificate": "certificate.pem"],
        "exporter.tls.certificate": ["exporter.tls.key": "pair-1.key"],
        "exporter.tls.key": ["exporter.tls.certificate": "pair-1.pem"],
        "exporter.tls.client_ca": ["exporter.tls.certificate": "pair-1.pem", "exporter.tls.key": "pair-1.key"],
        "acl.log.log_allowed": ["acl.log.path": "stdout"],
        "entrypoint.proxy_protocol.mode": ["entrypoint.proxy_protocol.trusted_proxies": "[10.0.0.0/8]"],
        "entrypoint.proxy_protocol.trusted_proxies": ["entrypoint.proxy_protocol.mode": "mixed"],
        "entrypoint.proxy_protocol.datagrams": [
            "entrypoint.proxy_protocol.mode": "mixed", "entrypoint.proxy_protocol.trusted_proxies": "[10.0.0.0/8]",
        ],
        "acl.allow_local": ["acl.default": "allow"],
        "admin.socket_mode": ["admin.listen": "\"unix:/run/weir-test-admin.sock\""],
        "routes.*.agent": ["agents": agents("edge-1", "edge-2")],
        "routes.*.tls": ["tls.certificates": "[{certificate: pair-1.pem, key: pair-1.key}]"],
    ]

    /// Values that name ports and files have to be those of this machine.
    private func values(of setting: ListedSetting, in folder: TemporaryDirectory) throws -> [String] {
        switch setting.path {
        case "exporter.listen": return try ["127.0.0.1:\(Ports.free())", "127.0.0.1:\(Ports.free())"]
        case "exporter.auth.bearer_token_file":
            try folder.write("tokens-1", "0123456789abcdef0123456789abcdef\n")
            try folder.write("tokens-2", "fedcba9876543210fedcba9876543210\n")
            return ["tokens-1", "tokens-2"]
        case "exporter.auth.basic.users": return ["{ann: '\(bcrypt)'}", "{ann: '\(sha512)'}"]
        case "exporter.auth.basic.users_file":
            try folder.write("users-1", "bob:\(bcrypt)\n")
            try folder.write("users-2", "carol:\(bcrypt)\n")
            return ["users-1", "users-2"]
        case "geoip.database":
            for name in ["places-1", "places-2"] {
                try folder.write(name, GeoDatabaseFile.bytes([.init("192.0.2.0/24", country: "DE")]))
            }
            return ["places-1", "places-2"]
        // The same pair by other names: both files have to fit.
        case "exporter.tls.certificate": return ["pair-1.pem", "copy.pem"]
        case "exporter.tls.key": return ["pair-1.key", "copy.key"]
        case "exporter.tls.client_ca": return ["pair-1.pem", "pair-2.pem"]
        case "agent.listen": return try ["127.0.0.1:\(Ports.free())", "127.0.0.1:\(Ports.free())"]
        case "agent.ca": return ["authority-1.pem", "authority-2.pem"]
        case "agent.certificate": return ["pair-1.pem", "copy.pem"]
        case "agent.key": return ["pair-1.key", "copy.key"]
        case "agents": return [Self.agents("edge-1"), Self.agents("edge-2")]
        case "routes.*.tls": return ["{alpn: [mqtt]}", "{alpn: [h2]}"]
        case "tls.certificates":
            return ["[{certificate: pair-1.pem, key: pair-1.key}]", "[{certificate: pair-2.pem, key: pair-2.key}]"]
        case "routes.*.port": return try ["\"\(Ports.free()):9\"", "\"\(Ports.free()):9\""]
        default: return setting.examples
        }
    }

    private func load(_ file: SettingsFile, in folder: TemporaryDirectory) throws -> Configuration {
        let path = try folder.write("weir.yml", file.text)
        for number in 1...2 where access(folder.file("pair-\(number).pem"), R_OK) != 0 {
            let authority = "authority-\(number)"
            try TestCertificate.write(authority, names: [], to: folder, isAuthority: true)
            try TestCertificate.write(
                "pair-\(number)", names: ["a.example.net", "godoxy.agent"], to: folder, authority: authority)
        }
        for file in [".pem", ".key"] { try folder.write("copy" + file, contents(of: folder.file("pair-1" + file))) }
        return try Configuration.load(
            path: path, environment: [:], rules: AccessRuleValidator(), certificates: CertificateValidator()
        ).configuration
    }

    @Test("A reload notices a change of every setting, and names those that need a restart")
    func everySetting() async throws {
        let folder = try TemporaryDirectory("settings")
        let log = folder.file("log")
        let descriptor = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        let base = SettingsFile(exporter: try Ports.free(), tcp: try Ports.free(), udp: try Ports.free())
        var options = Proxy.Options()
        options.logDescriptor = descriptor
        let proxy = try Proxy(try load(base, in: folder), options: options)
        try await proxy.start()
        var checked = 0
        do {
            for setting in Configuration.allSettings {
                let values = try values(of: setting, in: folder)
                try #require(values.count >= 2, "no two values of \(setting.path)")
                let path = setting.path.replacing("*", with: setting.transport == .udp ? "u" : "t")
                let file = base.setting(Self.companions(of: setting.path))
                let (old, new) = (
                    try load(file.setting([path: values[0]]), in: folder),
                    try load(file.setting([path: values[1]]), in: folder)
                )
                let namedBefore = try await proxy.apply(old)
                let before = await proxy.configuration
                let named = try await proxy.apply(new)
                let after = await proxy.configuration
                if setting.needsRestart {
                    // One of the two may be the value that the proxy was started with.
                    #expect((namedBefore + named).contains(path), "\(path) changes without a restart")
                    #expect(after == before, "\(path) was taken though it needs a restart")
                } else {
                    #expect(!named.contains(path), "\(path) needs a restart")
                    #expect(after != before, "\(path) was not noticed")
                    #expect(new.changes(from: old).map(\.path).contains(path), "\(path) is no change")
                    try waitUntil("\(path) is in the log") { Self.tells(contents(of: log), of: path) }
                }
                try await proxy.apply(try load(base, in: folder))
                checked += 1
            }
        } catch {
            await proxy.shutdown()
            throw error
        }
        await proxy.shutdown()
        #expect(checked == Configuration.allSettings.count && checked > 50)
    }

    /// Whether a line of text, or of JSON, has the setting.
    private static func tells(_ log: String, of path: String) -> Bool {
        log.contains("setting=\(path) ") || log.contains("\"setting\":\"\(path)\"")
    }

    @Test("Every setting of a route makes a reload update its stream")
    func everyRouteSetting() async throws {
        let folder = try TemporaryDirectory("settings")
        let base = SettingsFile(exporter: 1, tcp: 2, udp: 3)
        let all = Configuration.allSettings.filter { $0.path.hasPrefix("routes.") }
        for setting in all {
            let values = try values(of: setting, in: folder)
            let path = setting.path.replacing("*", with: setting.transport == .udp ? "u" : "t")
            let file = base.setting(Self.companions(of: setting.path))
            let routes = try values.prefix(2).map { value in
                try #require(
                    try load(file.setting([path: value]), in: folder).routes.first { path.contains(".\($0.name).") })
            }
            #expect(routes[0] != routes[1], "routes that differ in \(path) are the same")
        }
    }
}
