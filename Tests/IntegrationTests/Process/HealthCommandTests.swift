import TestSupport
import Testing

extension Integration {
    @Suite("weir health")
    struct HealthCommandTests {
        private func health(_ weir: WeirProcess) throws -> ChildProcess.Completed {
            try ChildProcess.run(try Tool.weir(), ["health", "--config", weir.configurationPath])
        }

        @Test(
            "it asks the running process, whatever its file says by now",
            arguments: [
                "routes: { a: { scheme: tcp9, port: \"1:2\" } }\n", "\0", "",
                // Fixed for the life of the process: a reload does not move the exporter.
                "exporter: { listen: 127.0.0.9:1 }\nroutes: { a: { scheme: tcp4, port: \"1:2\", host: b } }\n",
            ])
        func changedFile(_ text: String) throws {
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("a", port, to: 9))
            try weir.directory.replace("weir.yml", text)
            let run = try health(weir)
            #expect(run.exit == .code(0), "\(run)")
            #expect(run.output == "ok\n" && run.errorOutput.isEmpty, "\(run)")
        }

        @Test("it asks at a Unix socket and at each of several addresses, as the process says")
        func severalListeners() throws {
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route("a", port, to: 9), exporter: "listen: [127.0.0.1:PORT, \"unix:/tmp/weir-PORT.sock\"]")
            try weir.directory.replace("weir.yml", "")
            #expect(try health(weir).exit == .code(0))
        }

        @Test("where the process cannot be asked the file says where it is, and a process that is gone is not well")
        func fileDecides() throws {
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("a", port, to: 9))
            // No process runs with this file.
            let other = try weir.directory.write(
                "other.yml",
                "exporter: { listen: 127.0.0.1:\(weir.exporterPort) }\n"
                    + "routes: { a: { scheme: tcp4, port: \"1:2\", host: b } }\n")
            #expect(try ChildProcess.run(try Tool.weir(), ["health", "--config", other]).exit == .code(0))
            #expect(try weir.stop() == .code(0))
            let run = try health(weir)
            #expect(run.exit == .code(1))
            #expect(run.errorOutput.contains("no answer from 127.0.0.1:\(weir.exporterPort)"), "\(run)")
        }
    }
}
