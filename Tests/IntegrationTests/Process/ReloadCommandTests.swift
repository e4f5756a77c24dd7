import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("weir reload")
    struct ReloadCommandTests {
        private func reload(_ path: String, launcher: [String] = []) throws -> ChildProcess.Completed {
            let command = launcher + [try Tool.weir(), "reload", "--config", path]
            return try ChildProcess.run(command[0], Array(command.dropFirst()))
        }

        @Test("it returns when the new configuration is in force, and says what needs a restart")
        func taken() throws {
            let server = try TCPServer.echo()
            let (first, second) = (try Ports.free(), try Ports.free())
            let weir = try WeirProcess(routes: .route("a", first, to: server.port))
            for round in 0..<10 {
                let port = round.isMultiple(of: 2) ? second : first
                try weir.replaceConfiguration(routes: .route("a", port, to: server.port))
                let run = try reload(weir.configurationPath)
                #expect(run.exit == .code(0), "\(run)")
                #expect(run.output == "\(weir.configurationPath): reloaded\n")
                // No wait: it is served by now.
                let client = try TestConnection(to: Endpoint(port))
                try client.send("here")
                #expect(client.receive(4).text == "here")
            }
            try weir.replaceConfiguration(
                routes: .route("a", first, to: server.port), rest: "limits: { max_connections: 100 }")
            let fixed = try reload(weir.configurationPath)
            #expect(fixed.exit == .code(0))
            #expect(fixed.errorOutput.contains("limits.max_connections"), "\(fixed)")
            #expect(fixed.errorOutput.contains("restart"))
        }

        @Test("of a file that is refused it prints the findings, ends with 1, and the old configuration goes on")
        func refused() throws {
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("a", port, to: server.port))
            try weir.replaceConfiguration(routes: "a: { scheme: tcp9, port: \"1:2\" }\nb: { port: 7 }")
            let run = try reload(weir.configurationPath)
            #expect(run.exit == .code(1))
            #expect(run.output.isEmpty)
            #expect(run.errorOutput.contains("weir.yml:4:"), "\(run)")
            #expect(run.errorOutput.contains("weir.yml:5:"))
            let end = "weir: error: the reload was refused, and the old configuration goes on\n"
            #expect(run.errorOutput.hasSuffix(end))
            #expect(try weir.scrape().reloads("failure") == 1)
            let client = try TestConnection(to: Endpoint(port))
            try client.send("old")
            #expect(client.receive(3).text == "old")

            // An address that another process has is found out by binding only.
            let taken = try TCPServer.echo()
            try weir.replaceConfiguration(routes: .route("a", taken.port, to: server.port))
            let bound = try reload(weir.configurationPath)
            #expect(bound.exit == .code(1))
            #expect(bound.errorOutput.contains("\(taken.port)"), "\(bound)")
        }

        @Test("without a process it says so")
        func absent() throws {
            let folder = try TemporaryDirectory("absent")
            let run = try reload(folder.file("weir.yml"))
            #expect(run.exit == .code(1))
            #expect(run.errorOutput.contains("no Weir runs with the configuration"), "\(run)")
        }

        /// As another user, who cannot write the reports of a sanitizer where this one does: they are printed then.
        private static let foreign = [
            "env", "-u", "TSAN_OPTIONS", "-u", "ASAN_OPTIONS", "setpriv", "--reuid=65534", "--regid=65534",
            "--clear-groups",
        ]

        @Test("another user may not ask, root may")
        func users() throws {
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("a", port, to: 9))
            let run = try reload(weir.configurationPath, launcher: Self.foreign)
            #expect(run.exit == .code(1))
            #expect(run.errorOutput.contains("belongs to another user"), "\(run)")
            #expect(try weir.scrape().reloads("success") == 0)
            #expect(try reload(weir.configurationPath).exit == .code(0))
        }

        /// The abstract names of Unix sockets for commands by their inodes (unix(7), /proc/net/unix). Other tests may
        /// run such processes meanwhile.
        private static func controlNames() -> [String: String] {
            var names: [String: String] = [:]
            for line in contents(of: "/proc/net/unix").split(separator: "\n") {
                let fields = line.split(separator: " ")
                guard fields.count == 8, fields[7].hasPrefix("@weir-control-") else { continue }
                names[String(fields[6])] = String(fields[7].dropFirst())
            }
            return names
        }

        /// The inodes of a process's sockets.
        private static func sockets(of process: pid_t) throws -> [String] {
            let folder = "/proc/\(process)/fd"
            return try FileManager.default.contentsOfDirectory(atPath: folder).compactMap { number in
                let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\(number)")
                guard let target, target.hasPrefix("socket:[") else { return nil }
                return String(target.dropFirst("socket:[".count).dropLast())
            }
        }

        @Test("another user's process that has taken the name of a Weir that is gone is not believed")
        func takenName() throws {
            let weir = try WeirProcess(routes: .route("a", try Ports.free(), to: 9))
            let names = Self.controlNames()
            let name = try #require(try Self.sockets(of: weir.process.processID).compactMap { names[$0] }.first)
            #expect(try weir.stop() == .code(0))
            // Debian's perl is there for every user.
            let script = """
                use Socket; $SIG{PIPE} = 'IGNORE';
                socket(my $server, AF_UNIX, SOCK_STREAM, 0) or die;
                bind($server, pack_sockaddr_un("\\0\(name)")) or die;
                listen($server, 5) or die;
                while (accept(my $client, $server)) { syswrite($client, "taken\\n"); close($client); }
                """
            let impostor = try ChildProcess("perl", ["-e", script], user: 65_533)
            try waitUntil("the name is taken") { Self.controlNames().values.contains(name) }
            let run = try reload(weir.configurationPath, launcher: Self.foreign)
            #expect(run.exit == .code(1) && run.output.isEmpty, "\(run)")
            #expect(run.errorOutput.contains("belongs to another user"), "\(run)")
            #expect(impostor.isRunning)
        }

        @Test("the configuration may be named in another way, and a second process with it is warned")
        func names() throws {
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("a", port, to: 9))
            let parts = weir.configurationPath.split(separator: "/")
            #expect(try reload("/./" + parts.joined(separator: "//")).exit == .code(0))
            let pipe = try reload("/dev/stdin")
            #expect(pipe.exit == .code(1))
            #expect(pipe.errorOutput.contains("SIGHUP"), "\(pipe)")
        }
    }
}
