import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("Bad configurations")
    struct ConfigurationErrorTests {
        /// A mistake, alone in a file: the line and column where it must be reported, and words of the message.
        struct Mistake: Sendable, CustomTestStringConvertible {
            var name: String
            var text: String
            var line: Int
            /// nil if the column does not matter.
            var column: Int?
            var words: [String]
            var testDescription: String { name }
        }

        private static func route(_ fields: String) -> String { "routes:\n  a:\n    { scheme: tcp, \(fields) }\n" }

        static let mistakes = [
            Mistake(
                name: "unknown key with a suggestion",
                text: "routes:\n  a:\n    scheme: tcp\n    port: \"1000:22\"\n    dial_timout: 5s\n", line: 5,
                column: 5,
                words: ["dial_timout", "dial_timeout"]),
            Mistake(
                name: "unknown key at the top", text: "rotes:\n  a: { scheme: tcp, port: \"1000:22\" }\n", line: 1,
                column: 1,
                words: ["rotes", "routes"]),
            Mistake(name: "wrong type", text: "routes: 5\n", line: 1, column: 9, words: ["routes"]),
            Mistake(name: "port 0", text: route("port: \"0:22\""), line: 3, column: nil, words: ["0"]),
            Mistake(name: "port 70000", text: route("port: \"70000:22\""), line: 3, column: nil, words: ["70000"]),
            Mistake(name: "port abc", text: route("port: abc"), line: 3, column: 26, words: ["abc"]),
            Mistake(
                name: "duplicate listener",
                text: "routes:\n  a: { scheme: tcp, port: \"1000:22\" }\n  b: { scheme: tcp, port: \"1000:23\" }\n",
                line: 3, column: nil,
                words: ["1000", "a"]),
            Mistake(
                name: "overlapping wildcard",
                text: """
                    routes:
                      a: { scheme: tcp4, bind: 0.0.0.0, port: "1000:22" }
                      b: { scheme: tcp4, bind: 127.0.0.1, port: "1000:23" }

                    """, line: 3, column: nil, words: ["1000", "a"]),
            Mistake(
                name: "dual stack beside IPv4",
                text: """
                    routes:
                      a: { scheme: tcp4, port: "1000:22" }
                      b: { scheme: tcp, bind: "::", port: "1000:23" }

                    """, line: 3, column: nil, words: ["1000", "a"]),
            Mistake(
                name: "scheme http", text: "routes:\n  a:\n    { scheme: http, port: \"1000:22\" }\n", line: 3,
                column: nil,
                words: ["http", "tcp"]),
            Mistake(
                name: "tcp4 with an IPv6 bind",
                text: "routes:\n  a:\n    { scheme: tcp4, bind: \"::1\", port: \"1000:22\" }\n", line: 3, column: nil,
                words: ["::1"]),
            Mistake(
                name: "a route to itself", text: route("bind: 127.0.0.1, host: 127.0.0.1, port: \"1000:1000\""),
                line: 3, column: nil, words: ["1000"]),
            Mistake(
                name: "invalid YAML", text: "routes:\n  a: { port: \"1000:22\"\n  b: ]\n", line: 3, column: nil,
                words: []),
            Mistake(
                name: "unset variable", text: route("host: \"${WEIR_TEST_UNSET}\", port: \"1000:22\""), line: 3,
                column: nil, words: ["WEIR_TEST_UNSET"]),
            Mistake(
                name: "bad duration", text: route("dial_timeout: soon, port: \"1000:22\""), line: 3, column: nil,
                words: ["soon"]),
            Mistake(name: "empty file", text: "", line: 1, column: nil, words: []),
        ]

        private static func run(_ command: String, _ path: String) throws -> ChildProcess.Completed {
            try ChildProcess.run(try Tool.weir(), [command, "--config", path], deadline: .seconds(15))
        }

        /// The errors of a run, each as compilers print it: FILE:LINE:COLUMN: error: …
        private static func errors(in run: ChildProcess.Completed, file: String) -> [(Int, Int, String)] {
            (run.output + run.errorOutput).split(separator: "\n").compactMap { line in
                guard line.hasPrefix(file + ":") else { return nil }
                let rest = line.dropFirst(file.count + 1).split(separator: ":", maxSplits: 3)
                guard rest.count == 4, let number = Int(rest[0]), let column = Int(rest[1]), rest[2] == " error" else {
                    return nil
                }
                return (number, column, String(rest[3]))
            }
        }

        @Test("each mistake is an error with file, line and column, and exit code 1", arguments: mistakes)
        func mistake(mistake: Mistake) throws {
            let folder = try TemporaryDirectory("configuration")
            let file = try folder.write("weir.yml", mistake.text)
            for command in ["check", "run"] {
                let run = try Self.run(command, file)
                #expect(run.exit == .code(1), "\(command): \(run)")
                let errors = Self.errors(in: run, file: file)
                #expect(errors.allSatisfy { $0.1 >= 1 })
                let found = errors.contains { line, column, message in
                    line == mistake.line && mistake.column ?? column == column
                        && mistake.words.allSatisfy(message.contains)
                }
                #expect(found, "\(command): \(run)")
            }
        }

        @Test("a file that is not UTF-8 is an error with file, line and column")
        func notUTF8() throws {
            let folder = try TemporaryDirectory("configuration")
            let file = try folder.write("weir.yml", Array("routes:\n  a: \"".utf8) + [0xff, 0xfe] + Array("\"\n".utf8))
            for command in ["check", "run"] {
                let run = try Self.run(command, file)
                #expect(run.exit == .code(1), "\(run)")
                #expect(Self.errors(in: run, file: file).map(\.0) == [2], "\(run)")
            }
        }

        @Test("routes that silent clients of one address can fill are one line of the check, which ends with 0")
        func silentClients() throws {
            let folder = try TemporaryDirectory("configuration")
            let routes = "routes:\n  a: { scheme: tcp, port: 1:22 }\n  b: { scheme: tcp6, port: 2:22 }\n"
            let file = try folder.write("weir.yml", routes)
            let run = try Self.run("check", file)
            #expect(run.exit == .code(0) && run.output == "\(file): ok (2 routes)\n", "\(run)")
            let lines = run.errorOutput.split(separator: "\n")
            #expect(lines.count == 1)
            #expect(lines.first?.hasPrefix("\(file):2:3: warning: the routes `a`, `b` listen") == true)
            let limited = try folder.write("limited.yml", "limits: { max_connections_per_ip: 99 }\n" + routes)
            #expect(try Self.run("check", limited).errorOutput.isEmpty)
        }

        @Test("a missing file is an error that names it", arguments: ["check", "run"])
        func missingFile(command: String) throws {
            let folder = try TemporaryDirectory("configuration")
            let run = try Self.run(command, folder.file("none.yml"))
            #expect(run.exit == .code(1), "\(run)")
            #expect((run.output + run.errorOutput).contains(folder.file("none.yml")), "\(run)")
        }
    }
}
