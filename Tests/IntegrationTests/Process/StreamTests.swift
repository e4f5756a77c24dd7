import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("Standard streams and the order of the log")
    struct StreamTests {
        @Test("descriptors 0 to 2 that were closed are held by /dev/null, so that no other file gets log lines")
        func closedStreams() throws {
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route("a", port, to: server.port),
                launcher: ["sh", "-c", "exec \"$@\" <&- >&- 2>&-", "sh"])
            for number in 0...2 {
                let link = "/proc/\(weir.process.processID)/fd/\(number)"
                #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == "/dev/null")
            }
            let client = try TestConnection(to: Endpoint(port))
            try client.send("?")
            #expect(client.receive(1).text == "?")
            // The stop waits for clients.
            try client.expectEnd()
            #expect(try weir.stop() == .code(0))
        }

        @Test("a refused dial is a failed connect, whichever call reports it")
        func refused() throws {
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("dead", port, to: try Ports.free()))
            for _ in 0..<3 {
                let client = try TestConnection(to: Endpoint(port))
                #expect(client.receive().ending == .reset)
            }
            try weir.scrape(until: "all have failed") { $0.total("weir_dial_failures_total") == 3 }
            let line = try weir.waitForLog("dial failed", "reason=refused")
            #expect(line.contains("connect: Connection refused"), "\(line)")
        }

        @Test("`stopped` is the last line, behind those of all connections")
        func lastLine() throws {
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route("a", port, to: server.port), rest: "shutdown: { drain_timeout: 100ms }")
            var clients: [TestConnection] = []
            for _ in 0..<50 {
                let client = try TestConnection(to: Endpoint(port))
                try client.send("?")
                #expect(client.receive(1).text == "?")
                clients.append(client)
            }
            #expect(try weir.stop() == .code(0))
            let lines = weir.logLines
            #expect(lines.last?.contains(" stopped") == true, "\(lines.suffix(3))")
            #expect(lines.filter { $0.contains("connection closed") }.count == 50)
        }
    }
}
