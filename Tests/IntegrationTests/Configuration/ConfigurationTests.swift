import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("Configurations as a whole")
    struct ConfigurationTests {
        @Test("all mistakes of a file come in one run, and nothing is bound")
        func allErrorsAtOnce() throws {
            let good = try Ports.free()
            let folder = try TemporaryDirectory("configuration")
            let file = try folder.write(
                "weir.yml",
                """
                exporter: { listen: 127.0.0.1:\(try Ports.free()) }
                rout: 1
                routes:
                  good: { scheme: tcp4, host: 127.0.0.1, port: "\(good):9" }
                  zero: { scheme: tcp4, port: "0:22" }
                  high: { scheme: tcp4, port: "70000:22" }
                  word: { scheme: tcp4, port: abc }
                  twin: { scheme: tcp4, host: 127.0.0.1, port: "\(good):10" }
                  http: { scheme: http, port: "1001:22" }
                  six: { scheme: tcp4, bind: "::1", port: "1002:22" }
                  self: { scheme: tcp4, bind: 127.0.0.1, host: 127.0.0.1, port: "1003:1003" }
                  unset: { scheme: tcp4, host: "${WEIR_TEST_UNSET}", port: "1004:22" }

                """)
            // Holds the port meanwhile: were anything bound, the error would be another one.
            let holder = try TCPServer.echo(port: good)
            for command in ["check", "run"] {
                let run = try ChildProcess.run(
                    try Tool.weir(), [command, "--config", file], deadline: .seconds(15))
                #expect(run.exit == .code(1), "\(run)")
                let lines = Set(
                    (run.output + run.errorOutput).split(separator: "\n").compactMap { line -> Int? in
                        guard line.hasPrefix(file + ":"), line.contains(": error: ") else { return nil }
                        return Int(line.dropFirst(file.count + 1).prefix { $0.isNumber })
                    })
                #expect(lines == [2, 5, 6, 7, 8, 9, 10, 11, 12], "\(command): \(run)")
                #expect(!(run.output + run.errorOutput).contains("in use"), "\(run)")
            }
            #expect(holder.accepted == 0)
        }

        @Test("unquoted port pairs mean what they say, although YAML 1.1 reads them as base 60")
        func sexagesimalPorts() throws {
            let folder = try TemporaryDirectory("configuration")
            let file = try folder.write(
                "weir.yml",
                """
                routes:
                  a: { scheme: tcp, port: 2222:22, host: 192.0.2.7 }
                  b: { scheme: tcp, port: 22:22, host: 192.0.2.1 }

                """)
            let check = try ChildProcess.run(try Tool.weir(), ["check", "--config", file])
            #expect(check.exit == .code(0), "\(check)")

            // Unquoted, and really running: the upper number listens, the lower one is the target.
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(routes: "plain: { scheme: tcp4, host: 127.0.0.1, port: \(port):\(server.port) }")
            let client = try TestConnection(to: Endpoint(port))
            try client.send("x")
            #expect(client.receive(1).text == "x")
            #expect(try weir.scrape().accepted("plain") == 1)
        }

        @Test("variables come from the environment, with defaults")
        func environment() throws {
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: """
                    env: { scheme: tcp4, host: "${WEIR_TEST_HOST}", port: "${WEIR_TEST_PORT:-\(port)}:\(server.port)" }
                    """,
                environment: ["WEIR_TEST_HOST": "127.0.0.1"])
            let client = try TestConnection(to: Endpoint(port))
            try client.send("x")
            #expect(client.receive(1).text == "x")
            #expect(try weir.scrape().accepted("env") == 1)
        }

        @Test("check accepts what run accepts, and starts nothing")
        func checkOnly() throws {
            let port = try Ports.free()
            let holder = try TCPServer.echo(port: port)
            let folder = try TemporaryDirectory("configuration")
            let file = try folder.write("weir.yml", "routes:\n  \(String.route("a", port, to: 9))\n")
            let check = try ChildProcess.run(try Tool.weir(), ["check", "--config", file])
            #expect(check.exit == .code(0), "\(check)")
            #expect(holder.accepted == 0)
        }
    }
}
