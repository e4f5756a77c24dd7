import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("Lists and tokens that are emptied, half-written or no files")
    struct AccessListTests {
        private static let token = "0123456789abcdef0123456789abcdef"

        private static func isDenied(_ host: String, _ port: UInt16) throws -> Bool {
            let client = try TestConnection(to: Endpoint(port), from: Endpoint(host, 0))
            // If the reset arrives first, the send fails with it, and the receive then sees an end.
            try? client.send("?")
            return client.receive(1).bytes.isEmpty
        }

        @Test("an emptied list is refused by name and the old one stays; each list has a gauge with its rules")
        func emptied() throws {
            let folder = try TemporaryDirectory("lists")
            let list = try folder.write("block.txt", "127.66.0.0/16\n127.67.0.0/16\n")
            let free = try folder.write("free.txt", "")
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let route = String.route(
                "web", port, to: server.port, "acl: { deny: [{ file: \(free), allow_empty: true }] }")
            let rest = "acl: { deny: [\"file:\(list)\"] }"
            let weir = try WeirProcess(routes: route, rest: rest)
            let start = try weir.scrape()
            #expect(start["weir_acl_list_rules", ["list": list]] == 2)
            #expect(start["weir_acl_list_rules", ["list": free]] == 0)

            try folder.write("block.txt", "")
            try weir.scrape(until: "the empty list is refused") { $0.reloads("failure") == 1 }
            try weir.waitForLog("reload failed", "`\(list)`, which had 2, found none")
            #expect(try Self.isDenied("127.66.0.1", port))
            weir.process.send(signal: SIGHUP)
            let refused = try weir.scrape(until: "it is refused again") { $0.reloads("failure") == 2 }
            #expect(refused["weir_acl_list_rules", ["list": list]] == 2)
            #expect(refused["weir_config_last_reload_successful"] == 0)

            // Without a line end at the last line, and with a list that may be empty.
            try folder.write("free.txt", "127.68.0.1")
            try folder.write("block.txt", "127.66.0.0/16")
            let taken = try weir.scrape(until: "both are taken") {
                $0["weir_acl_list_rules", ["list": list]] == 1 && $0["weir_acl_list_rules", ["list": free]] == 1
            }
            #expect(taken["weir_config_last_reload_successful"] == 1)
            #expect(try Self.isDenied("127.66.0.1", port) && Self.isDenied("127.68.0.1", port))
            try folder.write("free.txt", "")
            try weir.scrape(until: "this one may be emptied") { $0["weir_acl_list_rules", ["list": free]] == 0 }
            #expect(try !Self.isDenied("127.68.0.1", port))
            #expect(try weir.scrape().reloads("failure") == 2)
        }

        @Test("half a token, and a token file that was emptied, open nothing: the old tokens stay")
        func tokens() throws {
            let folder = try TemporaryDirectory("tokens")
            let path = try folder.write("tokens", Self.token + "\n")
            try #require(chmod(path, 0o600) == 0)
            let weir = try WeirProcess(
                routes: .route("web", try Ports.free(), to: 9),
                exporter: "listen: 127.0.0.1:PORT, auth: { bearer_token_file: \(path) }")
            func status(_ token: String) throws -> Int {
                try HTTP.get("/metrics", port: weir.exporterPort, headers: ["Authorization": "Bearer \(token)"]).status
            }
            for (text, words) in [("0123456789abcde", "at least 16 bytes"), ("", "expected 1 to 256 lines")] {
                try folder.write("tokens", text)
                weir.process.send(signal: SIGHUP)
                try weir.waitForLog("reload failed", words)
                #expect(try status(Self.token) == 200)
                #expect(try status("0123456789abcde") == 401)
                let run = try ChildProcess.run(try Tool.weir(), ["check", "--config", weir.configurationPath])
                #expect(run.exit == .code(1))
                #expect(run.errorOutput.contains(words) && run.errorOutput.contains(path))
                #expect(!run.errorOutput.contains("0123456") && !weir.process.output.contains("0123456"))
            }
        }

        @Test(
            "a pipe instead of a file is refused at each reload, and the process still ends well",
            arguments: ["weir.yml", "block.txt", "tokens", "users"])
        func pipes(name: String) throws {
            let folder = try TemporaryDirectory("pipes")
            try folder.write("block.txt", "127.66.0.0/16\n")
            try folder.write("tokens", Self.token)
            try folder.write("users", "ann:$y$j9T$weirtest$HDlIwr708YQf8J1BP826YlN7jlTT4Z42usnXy0Bp777\n")
            for name in ["tokens", "users"] { try #require(chmod(folder.file(name), 0o600) == 0) }
            let port = try Ports.free()
            let server = try TCPServer.echo()
            let auth = "bearer_token_file: \(folder.file("tokens")), basic: { users_file: \(folder.file("users")) }"
            let weir = try WeirProcess(
                routes: .route("web", port, to: server.port),
                rest: "acl: { deny: [\"file:\(folder.file("block.txt"))\"] }",
                exporter: "listen: 127.0.0.1:PORT, auth: { \(auth) }")
            let path = name == "weir.yml" ? weir.configurationPath : folder.file(name)
            try #require(unlink(path) == 0 && mkfifo(path, 0o600) == 0)
            for count in 1...3 {
                weir.process.send(signal: SIGHUP)
                try waitUntil("reload \(count) is refused") {
                    weir.logLines.count { $0.contains("reload failed") && $0.contains("no regular file") } >= count
                }
            }
            #expect(try Self.isDenied("127.66.0.1", port))
            #expect(try weir.stop() == .code(0))
        }
    }
}
