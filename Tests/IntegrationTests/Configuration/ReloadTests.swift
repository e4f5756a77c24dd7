import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("Reloading")
    struct ReloadTests {
        private static func answer(from port: UInt16) throws -> String {
            let client = try TestConnection(to: Endpoint(port))
            return client.receive().text
        }

        private static func greeter(_ greeting: String) throws -> TCPServer {
            try TCPServer { connection in
                try connection.send(greeting)
                try connection.shutdownWriting()
                _ = connection.receive()
            }
        }

        @Test("adding, re-pointing and removing routes, by SIGHUP and by a changed file", arguments: [true, false])
        func addRepointRemove(bySignal: Bool) throws {
            let (one, two) = (try Self.greeter("one"), try Self.greeter("two"))
            let (first, second) = (try Ports.free(), try Ports.free())
            let keep = String.route("keep", first, to: one.port)
            let weir = try WeirProcess(routes: keep)
            #expect(try Self.answer(from: first) == "one")

            try weir.reload(routes: [keep, .route("more", second, to: two.port)], bySignal: bySignal)
            #expect(try Self.answer(from: second) == "two")
            #expect(try Self.answer(from: first) == "one")

            try weir.reload(
                routes: [.route("keep", first, to: two.port), .route("more", second, to: two.port)], bySignal: bySignal)
            #expect(try Self.answer(from: first) == "two")

            try weir.reload(routes: [.route("keep", first, to: two.port)], bySignal: bySignal)
            try waitUntil("the removed port is closed") { (try? TestConnection(to: Endpoint(second))) == nil }
            #expect(try Self.answer(from: first) == "two")

            let samples = try weir.scrapeWhenIdle("keep")
            // No counter was reset; the removed route still shows its last values.
            #expect(samples.accepted("keep") == 4)
            #expect(samples.accepted("more") == 1)
            #expect(samples["weir_config_last_reload_successful"] == 1)
        }

        @Test("a connection that is open during a reload lives on, also when its route goes away")
        func connectionsSurvive() throws {
            let echo = try TCPServer.echo()
            let (port, other) = (try Ports.free(), try Ports.free())
            let weir = try WeirProcess(
                routes: [.route("old", port, to: echo.port), .route("stays", other, to: echo.port)].joined(
                    separator: "\n"))
            let client = try TestConnection(to: Endpoint(port))
            try client.send("before")
            #expect(client.receive(6).text == "before")
            try weir.reload(routes: [.route("stays", other, to: echo.port)])
            try client.send("after")
            #expect(client.receive(5).text == "after")
            try client.shutdownWriting()
            #expect(client.receive().ending == .endOfStream)
        }

        @Test("re-pointing under load refuses and resets no client")
        func repointUnderLoad() throws {
            let (one, two) = (try TCPServer.echo(), try TCPServer.echo())
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("busy", port, to: one.port))
            var broken = 0
            for round in 0..<5 {
                let target = round.isMultiple(of: 2) ? two.port : one.port
                let before = try weir.scrape().reloads("success")
                try weir.replaceConfiguration(routes: .route("busy", port, to: target))
                weir.process.send(signal: SIGHUP)
                try waitUntil("reload \(round)", deadline: .seconds(15)) {
                    for _ in 0..<20 {
                        let client = try TestConnection(to: Endpoint(port))
                        try client.send("x")
                        if client.receive(1).text != "x" { broken += 1 }
                    }
                    return try weir.scrape().reloads("success") > before
                }
            }
            #expect(broken == 0)
            let samples = try weir.scrapeWhenIdle("busy")
            #expect(samples.accepted("busy") == one.accepted + two.accepted)
            #expect(one.accepted > 0 && two.accepted > 0)
            #expect(samples.total("weir_dial_failures_total") == 0)
        }

        @Test("a bad file changes nothing: the old routes run on, and the failure shows")
        func badReload() throws {
            let server = try Self.greeter("still here")
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("good", port, to: server.port))
            try weir.replaceConfiguration(routes: .route("good", port, to: server.port, "dial_timout: 1s"))
            weir.process.send(signal: SIGHUP)
            let samples = try weir.scrape(until: "the failed reload shows") {
                $0["weir_config_last_reload_successful"] == 0
            }
            #expect(samples.total("weir_config_reloads_total", ["result": "success"]) == 0)
            #expect(try Self.answer(from: port) == "still here")
            try weir.waitForLog("dial_timout")
            try weir.reload(routes: [.route("good", port, to: server.port)])
            #expect(try weir.scrape()["weir_config_last_reload_successful"] == 1)
        }

        @Test("a port that is taken fails the reload and leaves the old routes alone")
        func takenPortOnReload() throws {
            let server = try Self.greeter("still here")
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("good", port, to: server.port))
            try weir.replaceConfiguration(
                routes: [.route("good", port, to: server.port), .route("taken", server.port, to: 9)]
                    .joined(separator: "\n"))
            weir.process.send(signal: SIGHUP)
            try weir.scrape(until: "the failed reload shows") { $0["weir_config_last_reload_successful"] == 0 }
            try weir.waitForLog("taken", ":\(server.port)")
            #expect(try Self.answer(from: port) == "still here")
        }

        @Test("what cannot be reloaded is named when it changes")
        func notReloadable() throws {
            let server = try Self.greeter("hello")
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("good", port, to: server.port), rest: "workers: 1")
            try weir.replaceConfiguration(routes: .route("good", port, to: server.port), rest: "workers: 2")
            weir.process.send(signal: SIGHUP)
            try weir.waitForLog("workers")
            #expect(try Self.answer(from: port) == "hello")
        }
    }
}
