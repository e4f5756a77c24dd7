import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("Ending in order")
    struct LifecycleTests {
        @Test("SIGTERM: new clients are refused, the running download comes whole, the exit code is 0")
        func drain() throws {
            let answer = Pattern.bytes(3_000_000)
            let server = try TCPServer { connection in
                // The second half waits for the client's word, which comes only after SIGTERM.
                _ = connection.receive(1)
                try connection.send(Array(answer[..<1_000_000]))
                _ = connection.receive(1)
                try connection.send(Array(answer[1_000_000...]))
            }
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route("work", port, to: server.port), rest: "shutdown: { drain_timeout: 20s }")
            let client = try TestConnection(to: Endpoint(port))
            try client.send("a")
            let first = client.receive(1_000_000)
            #expect(first.ending == .satisfied)
            weir.process.send(signal: SIGTERM)
            try waitUntil("new clients are refused") { (try? TestConnection(to: Endpoint(port))) == nil }
            // The load balancer sends clients elsewhere while the process drains.
            #expect((try? HTTP.get("/readyz", port: weir.exporterPort).status) == 503)
            #expect(try HTTP.get("/healthz", port: weir.exporterPort).status == 200)
            try client.send("b")
            let rest = client.receive()
            #expect(rest.ending == .endOfStream)
            client.close()
            expectBytes(first.bytes + rest.bytes, answer)
            #expect(try weir.process.waitForExit(deadline: .seconds(15)) == .code(0))
        }

        @Test("the drain timeout ends what does not end by itself, and the exit code is still 0")
        func drainTimeout() throws {
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route("stuck", port, to: server.port), rest: "shutdown: { drain_timeout: 1s }")
            let client = try TestConnection(to: Endpoint(port))
            try client.send("x")
            #expect(client.receive(1).text == "x")
            #expect(try weir.stop(deadline: .seconds(10)) == .code(0))
            #expect(client.receive().ending != .timedOut)
            try weir.waitForLog("stuck", "drained")
        }

        @Test("SIGINT ends it as SIGTERM does; with nothing to drain it is gone at once", arguments: [SIGINT, SIGTERM])
        func idleEnd(signal: Int32) throws {
            let weir = try WeirProcess(routes: .route("idle", try Ports.free(), to: 9))
            weir.process.send(signal: signal)
            #expect(try weir.process.waitForExit(deadline: .seconds(5)) == .code(0))
        }

        @Test("each connection has one closed line with its reason and totals, and an id of its own")
        func closedLines() throws {
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("logged", port, to: server.port))
            for _ in 0..<3 {
                let client = try TestConnection(to: Endpoint(port))
                try client.send(Pattern.bytes(1_234))
                try client.shutdownWriting()
                #expect(client.receive().bytes.count == 1_234)
            }
            try weir.scrapeWhenIdle("logged")
            try waitUntil("three closed lines") {
                weir.logLines.filter { $0.contains("closed") && $0.contains("logged") }.count == 3
            }
            let lines = weir.logLines.filter { $0.contains("closed") && $0.contains("logged") }
            for line in lines {
                #expect(line.contains("client_eof"))
                #expect(line.contains("1234"))
                #expect(line.contains("127.0.0.1:\(server.port)"))
            }
            #expect(Set(lines).count == 3)
        }

        @Test("JSON logs are one valid object per line, with time, level and message")
        func jsonLogs() throws {
            let weir = try WeirProcess(
                routes: .route("idle", try Ports.free(), to: 9), rest: "log: { format: json }")
            #expect(try weir.stop() == .code(0))
            #expect(!weir.logLines.isEmpty)
            for line in weir.logLines {
                let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
                #expect(object?["level"] is String, "\(line)")
                let time = object?["time"] as? String ?? object?["timestamp"] as? String ?? ""
                #expect(time.hasSuffix("Z") && time.contains("T"), "\(line)")
            }
        }
    }
}
