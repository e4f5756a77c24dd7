#if TLS
import Foundation
import TestSupport
import Testing

extension Integration {
    /// Mutual TLS, and what Weir does with the name of a client: rules, headers and log lines.
    @Suite("Names of clients: openssl, curl and HAProxy", .serialized)
    struct TLSClientNameTrafficTests {
        let folder: TemporaryDirectory

        init() throws {
            folder = try TemporaryDirectory("client-names")
            try TestCertificate.write("ca", names: [], to: folder, isAuthority: true)
            try TestCertificate.write("a", names: ["a.example.net", "127.0.0.1"], to: folder, authority: "ca")
            for name in ["device-7", "device-8"] {
                try TestCertificate.write(name, names: ["\(name).example.net"], to: folder, authority: "ca")
            }
        }

        private var rest: String {
            "tls: { certificates: { certificate: \(folder.file("a.pem")), key: \(folder.file("a.key")) } }"
        }

        private var authority: String { folder.file("ca.pem") }

        private func curl(
            _ port: UInt16, as name: String, output: String = "/dev/null", _ more: String...
        ) throws -> ChildProcess.Completed {
            try ChildProcess.run(
                "curl",
                [
                    "-sSf", "--max-time", "20", "--cacert", authority, "--cert", folder.file(name + ".pem"), "--key",
                    folder.file(name + ".key"), "--resolve", "a.example.net:\(port):127.0.0.1",
                    "https://a.example.net:\(port)/1024", "-o", output,
                ] + more)
        }

        @Test("A rule by name lets in its device and no other, and the decision has a kind of its own")
        func rules() throws {
            let nginx = try Nginx(sizes: [1_024])
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route(
                    "web", port, to: nginx.port, "tls: { client_ca: \(authority) }",
                    "proxy_protocol: { mode: required, trusted_proxies: [127.0.0.1] }",
                    "acl: { default: deny, allow: [\"name:device-7.example.net\"] }"),
                rest: rest + "\nacl: { log: { path: stdout, log_allowed: true } }")
            // A header names the client, who is not taken for this machine then.
            let allowed = try curl(port, as: "device-7", "--haproxy-protocol")
            #expect(allowed.succeeded, "\(allowed)")
            #expect(try !curl(port, as: "device-8", "--haproxy-protocol").succeeded)
            let samples = try weir.scrapeWhenIdle("web")
            let labels = ["route": "web", "rule_kind": "name", "scope": "route"]
            func decisions(_ decision: String) -> Int {
                samples.total("weir_acl_decisions_total", labels.merging(["decision": decision]) { $1 })
            }
            #expect(decisions("allow") == 1)
            #expect(decisions("deny") == 0)
            #expect(samples.total("weir_acl_decisions_total", ["route": "web", "decision": "deny"]) == 1)
            #expect(samples.total("weir_tcp_connections_rejected_total", ["route": "web", "reason": "acl"]) == 1)
            #expect(samples.total("weir_dials_total", ["route": "web"]) == 1)
            try weir.waitForLog("client allowed", "rule=name:device-7.example.net", "rule_kind=name")
            try weir.waitForLog("client denied", "client_name=device-8.example.net")
            #expect(try weir.stop() == .code(0))
        }

        @Test("A resumed session is judged again, by the rules of now", arguments: ["-tls1_2", "-tls1_3"])
        func resumption(version: String) throws {
            let server = try TCPServer { connection in try connection.send(connection.receive(6).bytes) }
            let port = try Ports.free()
            func route(_ rules: String) -> String {
                .route("web", port, to: server.port, "tls: { client_ca: \(authority) }", "acl: { deny: [\(rules)] }")
            }
            let weir = try WeirProcess(routes: route("\"name:device-8.example.net\""), rest: rest)
            let session = folder.file("session")
            func connect(_ more: [String]) throws -> String {
                let input = try folder.write("input", "hello\n")
                return try ChildProcess.run(
                    "openssl",
                    [
                        "s_client", "-ign_eof", "-connect", "127.0.0.1:\(port)", version, "-CAfile", authority,
                        "-cert", folder.file("device-7.pem"), "-key", folder.file("device-7.key"), "-sess_out", session,
                    ] + more, input: input
                ).output
            }
            #expect(try connect([]).contains("hello"))
            let resumed = try connect(["-sess_in", session])
            #expect(resumed.contains("Reused, TLS") && resumed.contains("hello"))
            try weir.replaceConfiguration(routes: route("\"name:*.example.net\""), rest: rest)
            let reload = try ChildProcess.run(try Tool.weir(), ["reload", "--config", weir.configurationPath])
            #expect(reload.succeeded, "\(reload)")
            #expect(try !connect(["-sess_in", session]).contains("hello"))
            let samples = try weir.scrapeWhenIdle("web")
            #expect(samples.total("weir_tls_handshakes_total", ["resumed": "true"]) >= 1)
            #expect(
                samples.total("weir_acl_decisions_total", ["route": "web", "decision": "deny", "rule_kind": "name"])
                    == 1)
            #expect(try weir.stop() == .code(0))
        }

        @Test("HAProxy behind Weir reads the name that the client asked for, and every field is whole")
        func header() throws {
            let (haproxyPort, port) = (try Ports.free(), try Ports.free())
            let path = try folder.write(
                "haproxy.cfg",
                """
                defaults
                 mode http
                 timeout client 30s
                 timeout server 30s
                 timeout connect 5s
                frontend f
                 bind 127.0.0.1:\(haproxyPort) accept-proxy
                 http-request return status 200 content-type text/plain lf-string "%[fc_pp_authority] %[src]\\n"
                """)
            let haproxy = try ChildProcess("haproxy", ["-f", path])
            try haproxy.waitUntilListening(on: haproxyPort)
            let raw = try TCPServer { connection in
                let head = connection.receive(16).bytes
                let fields = connection.receive(Int(head[14]) << 8 | Int(head[15])).bytes.dropFirst(12)
                // With unread input its end would be a reset.
                _ = connection.receiveSome()
                let text = fields.map { String($0, radix: 16) }.joined(separator: ",")
                try connection.send(
                    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)")
            }
            let rawPort = try Ports.free()
            let tls = "tls: { client_ca: \(authority), alpn: [http/1.1] }"
            let weir = try WeirProcess(
                routes: .route("haproxy", port, to: haproxyPort, tls, "relay_proxy_protocol_header: v2") + "\n"
                    + .route("raw", rawPort, to: raw.port, tls, "relay_proxy_protocol_header: v2"), rest: rest)
            let seen = try curl(port, as: "device-7", output: "-")
            #expect(seen.output == "a.example.net 127.0.0.1\n", "\(seen)")
            let text = try curl(rawPort, as: "device-7", output: "-").output
            let bytes = text.split(separator: ",").map { UInt8($0, radix: 16) ?? 0 }
            func field(_ kind: UInt8, _ text: String) -> [UInt8] {
                [kind, 0, UInt8(text.utf8.count)] + Array(text.utf8)
            }
            var beginning = field(1, "http/1.1") + field(2, "a.example.net")
            beginning += [0x20, 0]
            #expect(Array(bytes.prefix(beginning.count)) == beginning)
            let inner = Array(bytes.dropFirst(beginning.count + 1))
            #expect(bytes.count > beginning.count && Int(bytes[beginning.count]) == inner.count)
            #expect(Array(inner.prefix(5)) == [7, 0, 0, 0, 0])
            var start: [UInt8] = [7, 0, 0, 0, 0]
            start += field(0x21, "TLSv1.3") + field(0x22, "device-7")
            start.append(0x23)
            #expect(Array(inner.prefix(start.count)) == start, "\(inner)")
            // And in the log.
            let line = try weir.waitForLog("connection closed", "route=raw")
            for part in [
                " tls=1.3 ", " resumed=false ", " sni=a.example.net ", " alpn=http/1.1 ",
                " client_name=device-7.example.net ",
            ] { #expect((line + " ").contains(part), "\(line)") }
            withExtendedLifetime(haproxy) {}
            #expect(try weir.stop() == .code(0))
        }
    }
}
#endif
