import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("Access to the exporter's pages")
    struct ExporterAccessTests {
        private static let token = "0123456789abcdef0123456789abcdef"
        /// `correct horse`, by crypt(3).
        private static let hash = "$y$j9T$weirtest$HDlIwr708YQf8J1BP826YlN7jlTT4Z42usnXy0Bp777"

        private static func folder(_ files: [String: String]) throws -> TemporaryDirectory {
            let folder = try TemporaryDirectory("access")
            for (name, text) in files { chmod(try folder.write(name, text), 0o600) }
            return folder
        }

        private static func start(_ exporter: String, rest: String = "") throws -> WeirProcess {
            try WeirProcess(
                routes: .route("idle", try Ports.free(), to: 9), rest: rest,
                exporter: "listen: 127.0.0.1:PORT, \(exporter)")
        }

        private static func status(_ path: String, _ weir: WeirProcess, _ headers: [String: String] = [:]) throws -> Int
        {
            try HTTP.get(path, port: weir.exporterPort, headers: headers).status
        }

        @Test(
            "a real Prometheus is admitted by its credentials_file, or by a name and a password; other clients are not")
        func prometheus() throws {
            let folder = try Self.folder(["tokens": "# Prometheus\n\(Self.token)\n", "mine": Self.token])
            let weir = try Self.start(
                """
                auth: { bearer_token_file: \(folder.file("tokens")), basic: { users: { ann: '\(Self.hash)' } } }
                """)
            for authorization in [
                "authorization: { credentials_file: \(folder.file("mine")) }",
                "basic_auth: { username: ann, password: correct horse }",
            ] {
                let prometheus = try PrometheusServer(target: weir.exporterPort, job: authorization)
                try waitUntil("the target is up", deadline: .seconds(20)) { try prometheus.value(of: "up") == 1 }
                // The first scrape with a password may take longer than the second that there is, where hashing has to
                // wait for a processor; from then on it is known.
                try waitUntil("more scrapes", deadline: .seconds(20)) {
                    try prometheus.value(of: "sum_over_time(up[1m])") ?? 0 >= 3
                }
            }
            #expect(try Self.status("/metrics", weir) == 401)
            #expect(try Self.status("/healthz", weir) == 200)
            let page = try HTTP.get(
                "/metrics", port: weir.exporterPort, headers: ["Authorization": "Bearer \(Self.token)"])
            #expect(try Samples(page.text).total("weir_exporter_requests_total", ["code": "401"]) == 1)
            let health = try ChildProcess.run(try Tool.weir(), ["health", "--config", weir.configurationPath])
            #expect(health.succeeded)
            // Nothing of a secret is in the log.
            #expect(!weir.process.output.contains(Self.token) && !weir.process.output.contains("weirtest"))
        }

        @Test("a token file that changes is read again without a signal; one that is of no use changes nothing")
        func rotation() throws {
            let folder = try Self.folder(["tokens": Self.token])
            let weir = try Self.start("auth: { bearer_token_file: \(folder.file("tokens")) }")
            let old = ["Authorization": "Bearer \(Self.token)"]
            let new = ["Authorization": "Bearer a-new-token-of-some-length"]
            #expect(try Self.status("/metrics", weir, old) == 200)
            #expect(try Self.status("/metrics", weir, new) == 401)
            try folder.replace("tokens", "a-new-token-of-some-length\n")
            try waitUntil("the new token holds") { try Self.status("/metrics", weir, new) == 200 }
            // 429 where so many asked with the new one, while it did not hold yet, that wrong ones must wait now.
            #expect([401, 429].contains(try Self.status("/metrics", weir, old)))
            try folder.replace("tokens", "\n")
            try weir.waitForLog("reload failed", "expected 1 to 256 lines")
            #expect(try Self.status("/metrics", weir, new) == 200)
            #expect([401, 429].contains(try Self.status("/metrics", weir)))
        }

        @Test("a Unix socket serves curl and weir health, has its permissions, and is gone at the end")
        func unixSocket() throws {
            let folder = try TemporaryDirectory("access")
            let path = folder.file("exporter.sock")
            let weir = try WeirProcess(
                routes: .route("idle", try Ports.free(), to: 9),
                exporter: "listen: ['unix:\(path)', 127.0.0.1:PORT], socket_mode: 0600")
            var status = stat()
            #expect(lstat(path, &status) == 0 && status.st_mode & 0o7777 == 0o600)
            let page = try ChildProcess.run("curl", ["-sS", "--unix-socket", path, "http://localhost/metrics"])
            #expect(try Samples(page.output).total("weir_build_info") == 1)
            // The file's first path, and named on the command line.
            for arguments in [["--config", weir.configurationPath], ["--exporter", "unix:" + path]] {
                let health = try ChildProcess.run(try Tool.weir(), ["health"] + arguments)
                #expect(health.succeeded && health.output == "ok\n", "\(health)")
            }
            try weir.waitForLog("ready", "unix:\(path)")
            // A second process finds the socket in use, and leaves it.
            let other = try folder.write(
                "other.yml",
                "exporter: { listen: 'unix:\(path)' }\nroutes: { a: { scheme: tcp4, port: \(try Ports.free()):9 } }\n")
            let second = try ChildProcess.run(try Tool.weir(), ["run", "--config", other])
            #expect(second.exit == .code(1))
            #expect(
                second.errorOutput
                    == "weir: error: exporter: cannot listen on unix:\(path): another process listens there already\n")
            #expect(try weir.stop() == .code(0))
            #expect(lstat(path, &status) == -1)
            let health = try ChildProcess.run(try Tool.weir(), ["health", "--exporter", "unix:" + path])
            #expect(
                health.exit == .code(1) && health.errorOutput.contains("no answer from unix:\(path): connect: No such"))
        }

        @Test("after a crash the socket is taken over")
        func takeover() throws {
            let folder = try TemporaryDirectory("access")
            let path = folder.file("exporter.sock")
            for _ in 0..<2 {
                let weir = try WeirProcess(
                    routes: .route("idle", try Ports.free(), to: 9),
                    exporter: "listen: [127.0.0.1:PORT, 'unix:\(path)']")
                let health = try ChildProcess.run(try Tool.weir(), ["health", "--exporter", "unix:" + path])
                #expect(health.succeeded)
                weir.process.send(signal: SIGKILL)
                _ = try weir.process.waitForExit()
                #expect(access(path, F_OK) == 0)
            }
        }

        @Test(
            "connections from elsewhere get 403 where they are not allowed, also after a reload, and this machine may")
        func allowedPeers() throws {
            let (here, there) = (try NetworkNamespace(), try NetworkNamespace())
            try NetworkNamespace.connect(here, there)
            try here.ip("link set lo up")
            let port = try Ports.free()
            let folder = try TemporaryDirectory("access")
            func write(_ allow: String) throws -> String {
                let text = """
                    exporter: { listen: 0.0.0.0:\(port), allow: [\(allow)] }
                    routes: { idle: { scheme: tcp4, port: "\(try Ports.free()):9" } }

                    """
                try folder.write("weir.yml.new", text)
                rename(folder.file("weir.yml.new"), folder.file("weir.yml"))
                return folder.file("weir.yml")
            }
            let launcher = here.launcher
            let weir = try ChildProcess(
                launcher[0], launcher.dropFirst() + [try Tool.weir(), "run", "--config", try write("192.0.2.0/24")])
            func status(from network: NetworkNamespace, to address: String) throws -> Int {
                let connection = try network.run { try TestConnection(to: Endpoint(address, port)) }
                try connection.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                return try HTTP.readResponse(from: connection).status
            }
            try waitUntil("weir serves") { (try? status(from: here, to: "127.0.0.1")) == 200 }
            #expect(try status(from: here, to: "10.77.0.1") == 200)
            #expect(try status(from: there, to: "10.77.0.1") == 403)
            _ = try write("192.0.2.0/24, 10.77.0.2")
            try waitUntil("the reload holds") { try status(from: there, to: "10.77.0.1") == 200 }
            #expect(weir.isRunning)
        }
    }
}
