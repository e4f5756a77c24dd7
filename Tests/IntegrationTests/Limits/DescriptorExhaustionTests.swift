import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("When descriptors run out")
    struct DescriptorExhaustionTests {
        /// The share of one core that a listener may use while it cannot accept: it must wait, not spin.
        private static let maxIdleShare = 0.05

        private static func expectEchoes(_ clients: [TestConnection]) {
            for client in clients { #expect(client.receive(1).text == "?") }
        }

        @Test("a process at its hard limit keeps waiting clients waiting, answers every scrape, and serves them later")
        func atTheHardLimit() throws {
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route("full", port, to: server.port), rest: "workers: 2",
                launcher: ["prlimit", "--nofile=256:256", "--"])
            // 256 less the reserve of 64 and two listeners, two descriptors each.
            let limit = 95
            #expect(try weir.scrape().total("weir_connections_limit") == limit)
            var served = try (0..<limit).map { _ in try TestConnection(to: Endpoint(port)) }
            for client in served { try client.send("?") }
            Self.expectEchoes(served)
            let waiting = try (0..<10).map { _ in try TestConnection(to: Endpoint(port)) }
            for client in waiting { try client.send("?") }
            try weir.scrape(until: "the listeners have stopped accepting") {
                $0.total("weir_accept_pauses_total", ["route": "full"]) >= 1
            }

            #expect(try weir.process.cpuShare(over: .seconds(1)) < Self.maxIdleShare)
            for _ in 0..<30 { #expect(try HTTP.get("/metrics", port: weir.exporterPort).status == 200) }
            #expect(try HTTP.get("/healthz", port: weir.exporterPort).status == 200)
            let starved = try weir.scrape()
            #expect(starved.active("full") == limit)
            #expect(starved.accepted("full") == limit)
            // The budget stops before the kernel has to refuse.
            #expect(starved.total("weir_accept_errors_total") == 0)
            #expect(waiting.allSatisfy { !$0.isReadable() })

            served.removeFirst(waiting.count)
            Self.expectEchoes(waiting)
            served.removeAll()
            for client in waiting { client.close() }
            let samples = try weir.scrapeWhenIdle("full")
            #expect(samples.accepted("full") == limit + waiting.count)
            #expect(samples.closed("full", "client_eof") == limit + waiting.count)
            #expect(samples.total("weir_tcp_connections_rejected_total") == 0)
            #expect(samples.total("weir_dial_failures_total") == 0)
        }

        @Test("with too few descriptors the start says how many are needed and for what, and the least serves a client")
        func tooFew() throws {
            let server = try TCPServer.echo()
            let folder = try TemporaryDirectory("few")
            let ports = [try Ports.free(), try Ports.free()]
            let routes = ports.map { port in String.route("r\(port)", port, to: server.port) }
            let text =
                "workers: 2\nexporter: { listen: 127.0.0.1:\(try Ports.free()) }\nroutes:\n"
                + routes.map { "  \($0)\n" }.joined()
            let path = try folder.write("weir.yml", text)
            for limit in [32, 64, 75] {
                let run = try ChildProcess.run(
                    "prlimit", ["--nofile=\(limit):\(limit)", "--", try Tool.weir(), "run", "--config", path])
                #expect(run.exit == .code(1))
                let start = "the limit of open descriptors is \(limit), and 76 are needed"
                #expect(run.errorOutput.contains(start), "\(run)")
                #expect(run.errorOutput.contains("4 for listeners"))
            }
            let weir = try WeirProcess(
                routes: routes.joined(separator: "\n"), rest: "workers: 2",
                launcher: ["prlimit", "--nofile=76:76", "--"])
            #expect(try weir.scrape().total("weir_connections_limit") == 4)
            let client = try TestConnection(to: Endpoint(ports[1]))
            try client.send("?")
            #expect(client.receive(1).text == "?")
            // A reload that would leave nothing for clients is refused.
            let more = try (0..<20).map { String.route("more\($0)", try Ports.free(), to: server.port) }
            try weir.replaceConfiguration(routes: (routes + more).joined(separator: "\n"), rest: "workers: 2")
            weir.process.send(signal: SIGHUP)
            try weir.waitForLog("reload failed", "107 are needed")
        }

        @Test("an accept without a descriptor is counted, is no spin, and goes on once there are some")
        func accept() throws {
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("starved", port, to: server.port), rest: "workers: 1")
            let scraper = try TestConnection(to: Endpoint(weir.exporterPort))
            _ = try weir.scrape(on: scraper)
            let established = try TestConnection(to: Endpoint(port))
            try established.send("?")
            #expect(established.receive(1).text == "?")

            let limit = try weir.process.leaveDescriptors(0)
            // The exporter has set one aside for itself.
            for page in ["/metrics", "/healthz", "/readyz"] {
                #expect(try HTTP.get(page, port: weir.exporterPort).status == 200)
            }
            let clients = try (0..<20).map { _ in try TestConnection(to: Endpoint(port)) }
            for client in clients { try client.send("?") }
            let labels = ["route": "starved", "reason": "fd_limit"]
            try waitUntil("accept has failed again") {
                try weir.scrape(on: scraper).total("weir_accept_errors_total", labels) >= 3
            }
            #expect(try weir.process.cpuShare(over: .seconds(1)) < Self.maxIdleShare)
            // Connected clients are not affected.
            try established.send("!")
            #expect(established.receive(1).text == "!")
            #expect(clients.allSatisfy { !$0.isReadable() })
            #expect(try weir.scrape(on: scraper).accepted("starved") == 1)

            try weir.process.limitDescriptors(to: limit)
            Self.expectEchoes(clients)
            let samples = try weir.scrape(on: scraper)
            #expect(samples.accepted("starved") == 21)
            #expect(samples.active("starved") == 21)
            let errors = samples.total("weir_accept_errors_total", labels)
            #expect(samples.total("weir_accept_errors_total") == errors)
            // Each failure is one pause, and nothing else is.
            #expect(samples.total("weir_accept_pauses_total", ["route": "starved"]) == errors)
            #expect(samples.total("weir_dial_failures_total") == 0)
            try weir.waitForLog("starved", "fd_limit")
        }

        @Test("a dial without a descriptor fails as fd_limit, once for each client, and works once there is one")
        func dial() throws {
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("half", port, to: server.port), rest: "workers: 1")
            let scraper = try TestConnection(to: Endpoint(weir.exporterPort))
            _ = try weir.scrape(on: scraper)
            // Enough for the client's side of a connection, and not for the upstream's.
            let limit = try weir.process.leaveDescriptors(1)
            for _ in 0..<10 {
                let client = try TestConnection(to: Endpoint(port))
                #expect(client.receive().ending == .reset)
            }
            // The client may see the reset before it is counted.
            try waitUntil("the last one has ended") { try weir.scrape(on: scraper).active("half") == 0 }
            let failed = try weir.scrape(on: scraper)
            #expect(failed.total("weir_dial_failures_total", ["route": "half", "reason": "fd_limit"]) == 10)
            #expect(failed.total("weir_dial_failures_total") == 10)
            #expect(failed.closed("half", "dial_failed") == 10)
            #expect(failed.total("weir_accept_errors_total") == 0)

            try weir.process.limitDescriptors(to: limit)
            let client = try TestConnection(to: Endpoint(port))
            try client.send("?")
            #expect(client.receive(1).text == "?")
            client.close()
            let samples = try weir.scrapeWhenIdle("half")
            #expect(samples.total("weir_dials_total") == 11)
            #expect(samples.total("weir_dial_failures_total") == 10)
            #expect(samples.closed("half", "client_eof") == 1)
        }
    }
}
