import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("Access rules and logs in files")
    struct AccessFileTests {
        private static func isDenied(_ host: String, _ port: UInt16) throws -> Bool {
            let client = try TestConnection(to: Endpoint(port), from: Endpoint(host, 0))
            // If the reset arrives first, the send fails with it, and the receive then sees an end.
            try? client.send("?")
            return client.receive(1).bytes.isEmpty
        }

        private static func lines(_ path: String) -> [String] {
            contents(of: path).split(separator: "\n").map(String.init)
        }

        @Test("a list file is reloaded when only it changes; a mistake in it changes nothing and is named")
        func listFile() throws {
            let folder = try TemporaryDirectory("lists")
            try folder.write("block.txt", "# empty for now\n")
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route("web", port, to: server.port),
                rest: "acl: { deny: [\"file:\(folder.file("block.txt"))\"] }")
            #expect(try !Self.isDenied("127.66.0.1", port))
            try folder.replace("block.txt", "127.66.0.0/16 # the test\n")
            try weir.scrape(until: "the list is taken") { $0.reloads("success") == 1 }
            #expect(try Self.isDenied("127.66.0.1", port))
            #expect(try !Self.isDenied("127.67.0.1", port))

            try folder.write("block.txt", "127.66.0.0/16\nnonsense\n")
            try weir.scrape(until: "the mistake is seen") { $0.reloads("failure") == 1 }
            try weir.waitForLog("reload failed", "block.txt:2:1: error: ", "found `nonsense`")
            #expect(try Self.isDenied("127.66.0.1", port))

            try folder.write("block.txt", "127.67.0.0/16\n")
            try weir.scrape(until: "the mended list is taken") { $0.reloads("success") == 2 }
            #expect(try !Self.isDenied("127.66.0.1", port))
            #expect(try Self.isDenied("127.67.0.1", port))
        }

        @Test("the access log names client and rule, and is opened again on SIGHUP after it was moved away")
        func log() throws {
            let folder = try TemporaryDirectory("acl-log")
            let path = folder.file("acl.log")
            try folder.write("block.txt", "# a list\n127.67.0.0/16\n")
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let routes: [String] = [.route("web", port, to: server.port)]
            let deny = "deny: [\"cidr:127.66.0.0/16\", \"file:\(folder.file("block.txt"))\"]"
            let weir = try WeirProcess(routes: routes[0], rest: "acl: { \(deny), log: { path: \(path) } }")
            for host in ["127.66.0.1", "127.0.0.1", "127.67.0.1"] { _ = try Self.isDenied(host, port) }
            try waitUntil("both denials are written") { Self.lines(path).count == 2 }
            #expect(
                Self.lines(path)[0].contains(
                    " INFO client denied protocol=tcp route=web listen=tcp4://0.0.0.0:\(port) "))
            #expect(Self.lines(path)[0].contains(" client=127.66.0.1:"))
            #expect(Self.lines(path)[0].hasSuffix(" rule=cidr:127.66.0.0/16 rule_kind=cidr scope=global"))
            #expect(
                Self.lines(path)[1].hasSuffix(
                    " rule=127.67.0.0/16 list=\(folder.file("block.txt")):2 rule_kind=cidr scope=global"))

            try FileManager.default.moveItem(atPath: path, toPath: path + ".1")
            try weir.reload(
                routes: routes,
                rest: "log: { format: json }\nacl: { \(deny), log: { path: \(path), log_allowed: true } }")
            for host in ["127.0.0.1", "127.66.0.1"] { _ = try Self.isDenied(host, port) }
            try waitUntil("the new file has both") { Self.lines(path).count == 2 }
            #expect(Self.lines(path)[0].contains(#""message":"client allowed""#))
            #expect(Self.lines(path)[0].hasSuffix(#""rule":"loopback","rule_kind":"local","scope":"global"}"#))
            #expect(Self.lines(path)[1].contains(#""action":"deny""#))
            #expect(Self.lines(path + ".1").count == 2)
            #expect(try weir.scrape().total("weir_log_lines_dropped_total") == 0)
        }

        @Test("with `log_allowed` clients are logged where there are no rules, too")
        func withoutRules() throws {
            let folder = try TemporaryDirectory("acl-log")
            let path = folder.file("acl.log")
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route("web", port, to: server.port), rest: "acl: { log: { path: \(path), log_allowed: true } }"
            )
            #expect(try !Self.isDenied("127.0.0.1", port))
            try waitUntil("the line is written") {
                Self.lines(path).first?.contains(" INFO client allowed protocol=tcp route=web ") == true
            }
            #expect(try weir.stop() == .code(0))
        }

        @Test("what a client repeats is one line, which counts it, and the end of the process tells of it")
        func repetitions() throws {
            let folder = try TemporaryDirectory("acl-log")
            let path = folder.file("acl.log")
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route("web", port, to: server.port),
                rest: "acl: { deny: [\"ip:127.66.0.1\", \"ip:127.66.0.2\"], log: { path: \(path) } }")
            for _ in 0..<30 { #expect(try Self.isDenied("127.66.0.1", port)) }
            #expect(try Self.isDenied("127.66.0.2", port))
            try weir.scrape(until: "all are denied") {
                $0.total("weir_tcp_connections_rejected_total", ["route": "web", "reason": "acl"]) == 31
            }
            #expect(try weir.stop() == .code(0))
            let lines = Self.lines(path)
            let told = lines.filter { $0.contains(" client=127.66.0.1:") }
            // On a slow machine the denials may take longer than one window.
            #expect(told.count < 10)
            let counts = told.map { line in
                line.components(separatedBy: " suppressed=").dropFirst().first.flatMap { Int($0) } ?? 0
            }
            #expect(counts.reduce(0, +) + told.count == 30)
            #expect(lines.filter { $0.contains(" client=127.66.0.2:") }.count == 1)
        }

        @Test("decisions can go to standard output, whatever the level of the log")
        func standardOutput() throws {
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route("web", port, to: server.port),
                rest: "log: { level: error }\nacl: { deny: [\"ip:127.66.0.1\"], log: { path: stdout } }")
            _ = try Self.isDenied("127.66.0.1", port)
            try weir.waitForLog("client denied", "client=127.66.0.1:", "rule=ip:127.66.0.1", "rule_kind=ip")
            #expect(weir.logLines.count == 1)
        }

        @Test("an access log that cannot be written refuses the start, and a reload changes nothing")
        func unwritable() throws {
            let folder = try TemporaryDirectory("acl-log")
            let port = try Ports.free()
            let server = try TCPServer.echo()
            let routes: [String] = [.route("web", port, to: server.port)]
            let rest = "acl: { deny: [\"ip:127.66.0.1\"], log: { path: \(folder.path)/none/acl.log } }"
            let file = try folder.write("weir.yml", "\(rest)\nroutes:\n  \(routes[0])\n")
            let run = try ChildProcess.run(try Tool.weir(), ["run", "--config", file])
            #expect(run.exit == .code(1))
            #expect(run.errorOutput.contains("acl.log: \(folder.path)/none/acl.log: "))

            let weir = try WeirProcess(routes: routes[0])
            try weir.replaceConfiguration(routes: routes[0], rest: rest)
            try weir.scrape(until: "the reload is refused") { $0.reloads("failure") == 1 }
            #expect(try !Self.isDenied("127.66.0.1", port))
        }

        @Test("weir check tells every mistake in rules and lists, with their places, and warns of a gateway")
        func check() throws {
            let folder = try TemporaryDirectory("acl-check")
            try folder.write("block.txt", "192.0.2.0/24\n192.0.2.300\n")
            let file = try folder.write(
                "weir.yml",
                """
                acl:
                  default: deny
                  deny: ["cidr:10.0.0.1/8", "file:block.txt", "country:DE"]
                routes:
                  a: { scheme: tcp, port: 1000:22, acl: { allow: [10.0.0.0/8] } }
                """)
            let run = try ChildProcess.run(try Tool.weir(), ["check", "--config", file])
            #expect(run.exit == .code(1))
            let lines = run.errorOutput.split(separator: "\n").map(String.init)
            let list = folder.file("block.txt")
            for expected in [
                "\(list):2:1: error: expected a rule that begins with `ip:`, `cidr:`, `country:`, `tz:` or `name:`, "
                    + "found `192.0.2.…`",
                "\(file):3:10: error: `deny`: the address in `10.0.0.1/8` has bits behind the length; did you mean "
                    + "`cidr:10.0.0.0/8`?",
                "\(file):5:51: error: `allow`: expected a rule that begins with `ip:`, `cidr:`, `country:`, `tz:` or "
                    + "`name:`, found `10.0.0.0/8`; did you mean `cidr:10.0.0.0/8`?",
            ] { #expect(lines.contains(expected), "\(lines)") }
            #expect(
                lines.contains {
                    $0.hasPrefix("\(file):3:") && $0.contains("error: `deny`: ") && $0.contains("DE")
                        || $0.contains("trait `GeoIP`")
                })
            #expect(lines.contains { $0.hasPrefix("\(file):2:12: warning: ") && $0.contains("NAT gateway") })
        }
    }
}
