import TestSupport
import Testing

extension Integration {
    @Suite("A worker that is stuck")
    struct StuckWorkerTests {
        private func health(_ weir: WeirProcess, _ options: String...) throws -> ChildProcess.Completed {
            try ChildProcess.run(try Tool.weir(), ["health", "--config", weir.configurationPath] + options)
        }

        @Test("is named by /healthz and by weir health, which ends with 1, until it turns again; the page stays there")
        func stuckWorker() throws {
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("a", port, to: server.port), rest: "workers: 2")
            #expect(try health(weir).succeeded)
            let worker = try StoppedThread("weir-worker-1", of: weir.process)
            try waitUntil("the worker counts as stuck", deadline: .seconds(20)) {
                try HTTP.get("/healthz", port: weir.exporterPort).status == 503
            }
            let answer = try health(weir)
            #expect(answer.exit == .code(1))
            #expect(answer.output + answer.errorOutput == "weir: error: worker 1 has not turned for 5 s\n")
            // Traffic is another question, and the exporter is on a thread of its own.
            #expect(try health(weir, "--ready").succeeded)
            #expect(try weir.scrape().total("weir_build_info") == 1)
            try worker.resume()
            try waitUntil("the worker turns again") { try health(weir).succeeded }
            let client = try TCPConnection(to: Endpoint(port))
            try client.send("?")
            #expect(client.receive(1).text == "?")
        }
    }
}
