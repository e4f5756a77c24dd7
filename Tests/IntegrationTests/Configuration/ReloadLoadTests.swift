import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("Reloading again and again")
    struct ReloadLoadTests {
        /// A file change is acted on once the file has rested for two seconds, so these take minutes in the long tier.
        /// WeirProxyTests has a thousand without that wait.
        private static let changes = fuzzRounds(10)

        @Test("files that change under load, every tenth one invalid: each counted once, no client refused, no leak")
        func fileChanges() throws {
            let servers = try (0..<2).map { _ in try TCPServer.echo() }
            let (kept, passing) = (try Ports.free(), try Ports.free())
            func routes(_ round: Int) -> String {
                var routes = [String.route("kept-\(round % 2)", kept, to: servers[round % 2].port)]
                if round % 4 < 2 { routes.append(.route("passing", passing, to: servers[0].port)) }
                if round % 10 == 9 { routes.append("broken: { scheme: tcp4, hots: \(round) }") }
                return routes.joined(separator: "\n")
            }
            let rest = "log: { level: error }"
            let weir = try WeirProcess(routes: routes(0), rest: rest)
            let connection = try TestConnection(to: Endpoint(kept))
            func change(_ round: Int) throws -> Samples {
                try weir.replaceConfiguration(routes: routes(round), rest: rest)
                return try weir.scrape(until: "file \(round) is taken or refused", deadline: .seconds(15)) {
                    $0.reloads("success") + $0.reloads("failure") == round
                }
            }
            var last = try weir.scrape()
            let load = Repeater { _ in try TestConnection.exchange(kept) }
            defer { load.stop() }
            var fallen: [String] = []
            var (descriptors, memory) = (0, 0)
            for round in 1...Self.changes {
                let now = try change(round)
                fallen += now.countersBehind(last)
                last = now
                #expect(now["weir_config_last_reload_successful"] == (round % 10 == 9 ? 0 : 1))
                try connection.expectEcho([UInt8(truncatingIfNeeded: round)])
                if round == Self.changes / 4 {
                    (descriptors, memory) = (weir.process.descriptorCount, weir.process.residentBytes)
                }
            }
            load.stop()
            #expect(fallen == [])
            #expect(load.failures == [])
            try connection.send("still")
            #expect(connection.receive(5).text == "still")
            let end = try weir.scrape(until: "the last connection is counted") { $0["weir_connections_active"] == 1 }
            #expect(end.reloads("failure") == Self.changes / 10)
            #expect(end.reloads("success") == Self.changes - Self.changes / 10)
            #expect(end.accepted("kept-0") + end.accepted("kept-1") == load.rounds + 1)
            #expect(end.closed("kept-0", "client_eof") + end.closed("kept-1", "client_eof") == load.rounds)
            #expect(end.total("weir_dial_failures_total") == 0)
            // Two descriptors for a connection of the load that was open when they were counted.
            #expect(weir.process.descriptorCount <= descriptors + 2)
            // The finer bound is that of the thousand reloads in process; a sanitizer keeps some megabytes more.
            #expect(weir.process.residentBytes < memory + 16 << 20)
        }
    }
}
