import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("A worker that is stuck")
    struct StuckWorkerTests {
        private func health(_ weir: WeirProcess, _ options: String...) throws -> ChildProcess.Completed {
            try ChildProcess.run(try Tool.weir(), ["health", "--config", weir.configurationPath] + options)
        }

        @Test("is named by /healthz and weir health, and kept from the watchdog, until it turns; the page stays there")
        func stuckWorker() throws {
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let manager = try ServiceManagerSocket("@weir-stuck-\(getpid())")
            func signsOfLife() -> Int { manager.messages.count { $0 == ["WATCHDOG=1"] } }
            let weir = try WeirProcess(
                routes: .route("a", port, to: server.port), rest: "workers: 2",
                environment: ["NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "200000"])
            #expect(try health(weir).succeeded)
            try waitUntil("the watchdog hears of it") { signsOfLife() > 0 }
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
            // The watchdog is left to act. Of three intervals, one may have begun before.
            let (heard, lines) = (signsOfLife(), weir.logLines.count)
            try waitUntil("three times it had nothing to tell") {
                weir.logLines.dropFirst(lines).count { $0.contains("worker 1 stands still") } >= 3
            }
            #expect(signsOfLife() <= heard + 1)
            try worker.resume()
            try waitUntil("the worker turns again") { try health(weir).succeeded }
            let before = signsOfLife()
            try waitUntil("the watchdog hears of it again") { signsOfLife() > before }
            let client = try TestConnection(to: Endpoint(port))
            try client.send("?")
            #expect(client.receive(1).text == "?")
        }
    }
}
