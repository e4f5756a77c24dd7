#if TLS
import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("An exporter that speaks TLS: curl, Prometheus and weir health", .serialized)
    struct ExporterTLSTests {
        let folder: TemporaryDirectory

        init() throws {
            folder = try TemporaryDirectory("exporter-tls")
            try TestCertificate.write("ca", names: [], to: folder, isAuthority: true)
            try TestCertificate.write("a", names: ["127.0.0.1"], to: folder, authority: "ca")
            try TestCertificate.write("b", names: ["127.0.0.1"], to: folder, authority: "ca")
            try TestCertificate.write("scraper", names: ["scraper.example.net"], to: folder, authority: "ca")
            try TestCertificate.write("other", names: ["scraper.example.net"], to: folder)
            for file in [".pem", ".key"] { try folder.write("x" + file, contents(of: folder.file("a" + file))) }
        }

        private func start(_ more: String = "", clients: Bool = true) throws -> WeirProcess {
            let authority = clients ? ", client_ca: \(folder.file("ca.pem"))" : ""
            return try WeirProcess(
                routes: .route("r", try Ports.free(), to: 9),
                exporter: "listen: 127.0.0.1:PORT, tls: { certificate: \(folder.file("x.pem")), "
                    + "key: \(folder.file("x.key"))\(authority) }\(more)",
                isExporterEncrypted: true)
        }

        /// The status, and the page; status 0 where there is no answer.
        private func curl(
            _ weir: WeirProcess, _ path: String, as name: String? = nil, _ more: [String] = []
        ) throws -> (status: Int, text: String) {
            var arguments = [
                "-sS", "--max-time", "20", "--cacert", folder.file("ca.pem"), "-w", "\n%{http_code}",
                "https://127.0.0.1:\(weir.exporterPort)\(path)",
            ]
            if let name { arguments += ["--cert", folder.file(name + ".pem"), "--key", folder.file(name + ".key")] }
            let result = try ChildProcess.run("curl", arguments + more)
            let lines = result.output.split(separator: "\n", omittingEmptySubsequences: false)
            return (Int(lines.last ?? "") ?? -1, lines.dropLast().joined(separator: "\n"))
        }

        @Test("curl gets every page with a certificate, and health without; another authority's is refused")
        func pages() throws {
            let weir = try start()
            for path in ["/healthz", "/readyz"] { #expect(try curl(weir, path).status == 200, "\(path)") }
            for path in ["/metrics", "/", "/none"] { #expect(try curl(weir, path).status == 403, "\(path)") }
            let page = try curl(weir, "/metrics", as: "scraper")
            #expect(page.status == 200)
            #expect(page.text.contains("weir_build_info"))
            #expect(
                page.text.contains(
                    "weir_tls_certificate_expiry_timestamp_seconds{certificate=\"\(folder.file("x.pem"))"))
            #expect(try curl(weir, "/metrics", as: "scraper", ["--tls-max", "1.2"]).status == 200)
            #expect(try curl(weir, "/metrics", as: "other").status == 0)
            let plain = try ChildProcess.run("curl", ["-sS", "http://127.0.0.1:\(weir.exporterPort)/healthz"])
            #expect(!plain.succeeded)
            let after = try curl(weir, "/metrics", as: "scraper").text
            for reason in ["unknown_ca", "protocol"] {
                #expect(
                    after.contains("weir_exporter_tls_handshake_failures_total{reason=\"\(reason)\"} 1\n"), "\(reason)")
            }
            #expect(try weir.stop() == .code(0))
        }

        @Test("A token is asked for behind the handshake, and a certificate beside it")
        func tokens() throws {
            let tokens = try folder.write("tokens", "0123456789abcdef0123456789abcdef\n")
            let weir = try start(", auth: { bearer_token_file: \(tokens) }")
            let header = ["-H", "Authorization: Bearer 0123456789abcdef0123456789abcdef"]
            #expect(try curl(weir, "/metrics", as: "scraper").status == 401)
            #expect(try curl(weir, "/metrics", as: "scraper", header).status == 200)
            #expect(try curl(weir, "/metrics", as: nil, header).status == 403)
            #expect(try weir.stop() == .code(0))
        }

        @Test("Prometheus scrapes with a `tls_config` of its own")
        func prometheus() throws {
            let weir = try start()
            let prometheus = try PrometheusServer(
                target: weir.exporterPort,
                job: "scheme: https\n    tls_config: { ca_file: \(folder.file("ca.pem")), "
                    + "cert_file: \(folder.file("scraper.pem")), key_file: \(folder.file("scraper.key")) }")
            try waitUntil("the target is up", deadline: .seconds(30)) { try prometheus.value(of: "up") == 1 }
            try waitUntil("samples are there", deadline: .seconds(30)) {
                try prometheus.value(of: "weir_ready") == 1
            }
            let without = try PrometheusServer(
                target: weir.exporterPort,
                job: "scheme: https\n    tls_config: { ca_file: \(folder.file("ca.pem")) }")
            try waitUntil("the target is down", deadline: .seconds(30)) { try without.value(of: "up") == 0 }
            #expect(try weir.stop() == .code(0))
        }

        @Test("weir health asks over TLS, as the process says, as the file says, and as it is told")
        func health() throws {
            let weir = try start(clients: true)
            func health(_ arguments: String...) throws -> ChildProcess.Completed {
                try ChildProcess.run(try Tool.weir(), ["health"] + arguments)
            }
            let asked = try health("--config", weir.configurationPath)
            #expect(asked.exit == .code(0) && asked.output == "ok\n", "\(asked)")
            #expect(try health("--config", weir.configurationPath, "--ready").output == "ready\n")
            let told = try health("--exporter", "https://127.0.0.1:\(weir.exporterPort)")
            #expect(told.exit == .code(0), "\(told)")
            let other = try folder.write("other.yml", contents(of: weir.configurationPath))
            #expect(try health("--config", other).exit == .code(0))
            #expect(try health("--exporter", "127.0.0.1:\(weir.exporterPort)").exit == .code(1))
            #expect(try weir.stop() == .code(0))
        }

        @Test("A changed certificate is served by new connections, and a bad one is not")
        func exchange() throws {
            let weir = try start(clients: false)
            func subject() throws -> String {
                try ChildProcess.run("openssl", ["s_client", "-connect", "127.0.0.1:\(weir.exporterPort)"]).output
            }
            #expect(try subject().contains("subject=CN = a"))
            for file in [".key", ".pem"] { try folder.replace("x" + file, contents(of: folder.file("b" + file))) }
            try waitUntil("the other certificate is served") { try subject().contains("subject=CN = b") }
            try folder.replace("x.pem", "nothing\n")
            try waitUntil("it is refused") {
                try curl(weir, "/metrics").text.contains(
                    "last_reload_successful{certificate=\"\(folder.file("x.pem"))\"} 0")
            }
            #expect(try subject().contains("subject=CN = b"))
            let check = try ChildProcess.run(try Tool.weir(), ["check", "--config", weir.configurationPath])
            #expect(check.exit == .code(1))
            try folder.replace("x.pem", contents(of: folder.file("b.pem")))
            let good = try ChildProcess.run(try Tool.weir(), ["check", "--config", weir.configurationPath])
            #expect(good.exit == .code(0) && good.output.contains("127.0.0.1"), "\(good)")
            #expect(try weir.stop() == .code(0))
        }
    }
}
#endif
