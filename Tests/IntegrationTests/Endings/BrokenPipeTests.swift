import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("Writing to a peer that is gone")
    struct BrokenPipeTests {
        @Test("a write to a client, an upstream or a scraper that is gone never ends the process")
        func peers() throws {
            let flooding = try TCPServer { connection in
                while true { try connection.send(Pattern.bytes(65_536)) }
            }
            let refusing = try TCPServer { try $0.reset() }
            let (down, up) = (try Ports.free(), try Ports.free())
            let weir = try WeirProcess(
                routes: [
                    String.route("down", down, to: flooding.port), .route("up", up, to: refusing.port),
                ].joined(separator: "\n"))
            // Not an accident of timing: nothing that writes can raise it.
            #expect(weir.process.ignores(signal: SIGPIPE))
            let rounds = 100
            for _ in 0..<rounds {
                let client = try TestConnection(to: Endpoint(down))
                #expect(client.receive(1).ending == .satisfied)
                try client.reset()
                let sender = try TestConnection(to: Endpoint(up))
                while (try? sender.send(Pattern.bytes(65_536))) != nil {}
                let scraper = try TestConnection(to: Endpoint(weir.exporterPort))
                try scraper.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
                try scraper.reset()
            }
            for route in ["down", "up"] {
                let samples = try weir.scrapeWhenIdle(route)
                #expect(samples.accepted(route) == rounds)
                #expect(samples.closed(route) == rounds)
            }
            #expect(try weir.scrape().closed("down", "client_reset") == rounds)
            #expect(weir.process.isRunning)
            #expect(try weir.stop() == .code(0))
        }

        @Test("a log whose reader is gone neither ends the process nor holds up traffic")
        func log() throws {
            let server = try TCPServer.echo()
            let port = try Ports.free()
            // Standard output is a pipe whose reader ends at once.
            let weir = try WeirProcess(
                routes: .route("log", port, to: server.port),
                launcher: ["bash", "-c", "exec \"$@\" > >(true)", "bash"])
            for _ in 0..<200 {
                let client = try TestConnection(to: Endpoint(port))
                try client.send("?")
                #expect(client.receive(1).text == "?")
            }
            let samples = try weir.scrapeWhenIdle("log")
            #expect(samples.closed("log", "client_eof") == 200)
            #expect(try weir.stop() == .code(0))
        }
    }
}
