import Foundation
import Synchronization
import TestSupport
import Testing

extension Integration {
    @Suite("The books balance")
    struct IdentityTests {
        /// Under a sanitizer it takes a third of a second to read one page.
        private static let scrapes = Sanitizer.isPresent ? 300 : 1_000
        /// Connections of each sort. Under a sanitizer Weir ends them more slowly than they are made, and each has a
        /// thread here, of which the thread sanitizer bears a few thousand.
        private static let maxRounds = Sanitizer.isPresent ? 400 : Int.max

        @Test("accepted = active + closed + rejected at every one of 1,000 scrapes under churn")
        func identityUnderChurn() throws {
            let echo = try TCPServer.echo()
            let datagrams = try UDPServer.echo()
            let closedPort = try Ports.free()
            let ports = try (0..<3).map { _ in try Ports.free() }
            let weir = try WeirProcess(
                routes: [
                    .route("busy", ports[0], to: echo.port),
                    .route("dead", ports[1], to: closedPort),
                    .route("udp", ports[2], to: datagrams.port, scheme: "udp4", "responses: 1", "max_sessions: 50"),
                ].joined(separator: "\n"))

            let running = Atomic<Bool>(true)
            let finished = Atomic<Int>(0)
            let churn: [@Sendable () throws -> Void] = [
                {
                    let client = try TestConnection(to: Endpoint(ports[0]))
                    try client.send("x")
                    _ = client.receive(1)
                },
                {
                    let client = try TestConnection(to: Endpoint(ports[0]))
                    try client.send("x")
                    try client.reset()
                },
                { _ = try TestConnection(to: Endpoint(ports[1])).receive() },
                {
                    let client = try UDPSocket(buffer: 65_536)
                    try client.send([1], to: Endpoint(ports[2]))
                    _ = try client.receive()
                },
            ]
            let semaphores = churn.map { body in
                let done = TestSemaphore()
                Thread {
                    var round = 0
                    while running.load(ordering: .relaxed), round < Self.maxRounds {
                        round += 1
                        try? body()
                        finished.wrappingAdd(1, ordering: .relaxed)
                    }
                    done.signal()
                }.start()
                return done
            }
            defer {
                running.store(false, ordering: .relaxed)
                semaphores.forEach { $0.wait() }
            }

            let scraper = try TestConnection(to: Endpoint(weir.exporterPort))
            var unbalanced: [String] = []
            var last: Samples?
            for scrape in 0..<Self.scrapes {
                // A whole page now and then; otherwise what must balance, which this program reads in a tenth of the
                // time.
                let isWhole = scrape % 10 == 9
                let path = isWhole ? "/metrics" : "/metrics?name[]=weir_tcp_connections_*&name[]=weir_udp_sessions_*"
                try scraper.send("GET \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n")
                let samples = try Samples(HTTP.readResponse(from: scraper).text)
                unbalanced += Self.imbalances(samples).map { "scrape \(scrape): \($0)" }
                guard isWhole else { continue }
                if let last { unbalanced += samples.countersBehind(last) }
                last = samples
            }
            #expect(unbalanced == [])
            #expect(finished.load(ordering: .relaxed) > 1_000)
            let end = try #require(last)
            for route in ["busy", "dead"] { #expect(end.accepted(route) > 100) }
            #expect(end.total("weir_udp_sessions_opened_total", ["route": "udp"]) > 100)
        }

        private static func imbalances(_ samples: Samples) -> [String] {
            let families = [
                ("weir_tcp_connections", "accepted", ["busy", "dead"]), ("weir_udp_sessions", "opened", ["udp"]),
            ]
            var found: [String] = []
            for (family, beginning, routes) in families {
                for route in routes {
                    let labels = ["route": route]
                    let rejected = samples.total("\(family)_rejected_total", labels)
                    let active = samples.total("\(family)_active", labels)
                    let began = samples.total("\(family)_\(beginning)_total", labels)
                    let ended = samples.total("\(family)_closed_total", labels)
                    if active < 0 || began != active + ended + rejected {
                        found.append("\(route): \(began) began, \(active) active, \(ended) ended, \(rejected) rejected")
                    }
                }
            }
            return found
        }

        @Test("every byte of known traffic is counted, both ways, over many connections")
        func knownBytes() throws {
            // The answer has another length than the question, so that swapped directions are seen.
            let server = try TCPServer.answeringAfterEnd { request in Pattern.bytes(request.count * 2 + 7) }
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("known", port, to: server.port))
            var sent = 0
            var received = 0
            for count in [0, 1, 2, 1_459, 1_460, 1_461, 16_383, 65_536, 65_537, 1_000_003, 5_000_000] {
                let client = try TestConnection(to: Endpoint(port))
                try client.send(Pattern.bytes(count))
                try client.shutdownWriting()
                let answer = client.receive()
                expectBytes(answer.bytes, Pattern.bytes(count * 2 + 7))
                sent += count
                received += answer.bytes.count
            }
            let samples = try weir.scrapeWhenIdle("known")
            #expect(samples.bytes("known", "ingress") == sent)
            #expect(samples.bytes("known", "egress") == received)
            #expect(samples.total("weir_tcp_bytes_discarded_total", ["route": "known"]) == 0)
        }
    }
}
