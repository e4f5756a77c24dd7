#if TLS
import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("Health checks over TLS: openssl", .serialized)
    struct TLSHealthCheckTests {
        let folder: TemporaryDirectory

        init() throws {
            folder = try TemporaryDirectory("tls-checks")
            try TestCertificate.write("ca", names: [], to: folder, isAuthority: true)
            try TestCertificate.write("a", names: ["127.0.0.1"], to: folder, authority: "ca")
        }

        @Test("A member is up where its handshake succeeds, by the settings of the upstreams or of the check")
        func verdicts() throws {
            let securePort = try Ports.free()
            let secure = try ChildProcess(
                "openssl",
                [
                    "s_server", "-accept", "127.0.0.1:\(securePort)", "-cert", folder.file("a.pem"), "-key",
                    folder.file("a.key"), "-www", "-quiet",
                ])
            try secure.waitUntilListening(on: securePort)
            let plain = try TCPServer { connection in
                try connection.send("220 plain\r\n")
                _ = connection.receive()
            }
            let authority = "ca: \(folder.file("ca.pem"))"
            func route(_ name: String, _ upstream: UInt16, _ more: String...) throws -> String {
                .route(name, try Ports.free(), to: upstream, more.joined(separator: ", "))
            }
            let weir = try WeirProcess(
                routes: [
                    try route("own", securePort, "health: { check: tls, \(authority), interval: 200ms }"),
                    try route(
                        "follows", securePort, "upstream_tls: { \(authority) }",
                        "health: { check: tls, interval: 200ms }"),
                    try route(
                        "page", securePort, "upstream_tls: { \(authority) }",
                        "health: { check: http, status: 200, interval: 200ms }"),
                    try route(
                        "name", securePort,
                        "health: { check: tls, \(authority), server_name: other.example.net, interval: 200ms }"),
                    try route("unknown", securePort, "health: { check: tls, interval: 200ms }"),
                    try route("plain", plain.port, "health: { check: tls, \(authority), interval: 200ms }"),
                ].joined(separator: "\n"))
            let good = ["own", "follows", "page"]
            let samples = try weir.scrape(until: "all are judged", deadline: .seconds(30)) { samples in
                (good + ["name", "unknown", "plain"]).allSatisfy { route in
                    samples.total(
                        "weir_health_checks_total",
                        ["route": route, "result": good.contains(route) ? "success" : "tls"]) >= 2
                }
            }
            for route in good {
                #expect(samples.total("weir_upstream_up", ["route": route]) == 1, "\(route)")
                #expect(samples.total("weir_health_checks_total", ["route": route, "result": "tls"]) == 0, "\(route)")
            }
            for route in ["name", "unknown", "plain"] {
                #expect(samples.total("weir_upstream_up", ["route": route]) == 0, "\(route)")
            }
            withExtendedLifetime(secure) {}
            #expect(try weir.stop() == .code(0))
        }
    }
}
#endif
