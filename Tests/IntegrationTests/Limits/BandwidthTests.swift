import Foundation
import Synchronization
import TestSupport
import Testing

extension Integration {
    @Suite("Bytes a second", .timeLimit(.minutes(3)))
    struct BandwidthTests {
        /// Sends as fast as it is taken, until the client goes.
        private static func source() throws -> TCPServer {
            try TCPServer { connection in
                let piece = [UInt8](repeating: 0x77, count: 262_144)
                try connection.setTimeouts(seconds: 60)
                while true { try connection.send(piece) }
            }
        }

        private static func sink() throws -> TCPServer {
            try TCPServer { connection in
                try connection.setTimeouts(seconds: 60)
                while !connection.receiveSome(262_144).bytes.isEmpty {}
            }
        }

        private static func pauses(_ samples: Samples, _ route: String, _ direction: String) -> Int {
            samples.total("weir_throttle_pauses_total", ["route": route, "direction": direction])
        }

        /// The rate of what Weir's own counters say, in bytes a second, is never beyond the range, and is within it in
        /// one of ten windows of three seconds: a machine that is busy may keep it from that in some of them.
        private static func expectRate(
            in range: ClosedRange<Double>, of weir: WeirProcess, _ bytes: @escaping (Samples) -> Int
        ) throws {
            let clock = ContinuousClock()
            // Without the burst at the start.
            try weir.scrape(until: "bytes flow") { bytes($0) > 1_000_000 }
            for _ in 0..<10 {
                let start = clock.now
                let first = try weir.scrape()
                let last = try weir.scrape(until: "3 s have passed", deadline: .seconds(20)) { _ in
                    clock.now - start > .seconds(3)
                }
                let rate = Double(bytes(last) - bytes(first)) / ((clock.now - start) / .seconds(1))
                try #require(rate <= range.upperBound)
                if rate >= range.lowerBound { return }
            }
            Issue.record("in none of ten windows the rate was \(range.lowerBound) bytes a second")
        }

        @Test(
            "a route's egress keeps to its rate over two workers and many connections, spliced or not",
            arguments: [1, 6])
        func route(connections: Int) throws {
            let server = try Self.source()
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route("down", port, to: server.port, "bandwidth: { egress: 20MB/s }"), rest: "workers: 2")
            let clients = try (0..<connections).map { _ in try TestConnection(to: Endpoint(port)) }
            let readers = clients.map { client in Repeater { _ in _ = client.receiveSome(262_144) } }
            defer { readers.forEach { $0.stop() } }
            try Self.expectRate(in: 16e6...21.5e6, of: weir) { $0.bytes("down", "egress") }
            // A read brings at most 50 ms worth.
            let samples = try weir.scrape(until: "it has paused") { Self.pauses($0, "down", "egress") >= 40 }
            #expect(Self.pauses(samples, "down", "ingress") == 0)
            #expect(
                samples.matching("weir_tcp_connections_closed_total", ["reason": "error"]).allSatisfy { $0.value == 0 })
        }

        @Test("each connection keeps to its own rate beside that of the route, and small flows are not starved")
        func perConnection() throws {
            let sink = try Self.sink()
            let echo = try TCPServer.echo()
            let (port, shared) = (try Ports.free(), try Ports.free())
            let weir = try WeirProcess(
                routes: [
                    .route("up", port, to: sink.port, "bandwidth: { per_connection: { ingress: 2MB/s } }"),
                    .route("both", shared, to: echo.port, "bandwidth: { ingress: 4MB/s, egress: 4MB/s }"),
                ].joined(separator: "\n"), rest: "workers: 2")
            let running = Atomic<Bool>(true)
            func flood(_ port: UInt16) throws -> TestSemaphore {
                let client = try TestConnection(to: Endpoint(port))
                try client.setTimeouts(seconds: 60)
                let semaphore = TestSemaphore()
                Thread {
                    let piece = [UInt8](repeating: 0x75, count: 65_536)
                    while running.load(ordering: .relaxed), (try? client.send(piece)) != nil {
                        while client.isReadable(), !client.receiveSome(262_144).bytes.isEmpty {}
                    }
                    try? client.reset()
                    semaphore.signal()
                }.start()
                return semaphore
            }
            let floods = try [flood(port), flood(port), flood(port), flood(shared), flood(shared)]
            defer {
                running.store(false, ordering: .relaxed)
                floods.forEach { $0.wait() }
            }
            try Self.expectRate(in: 4.8e6...6.5e6, of: weir) { $0.bytes("up", "ingress") }
            // Two greedy flows fill the route; each question waits for a piece of each of them at most.
            let client = try TestConnection(to: Endpoint(shared))
            let clock = ContinuousClock()
            let start = clock.now
            for round in 0..<20 {
                try client.send("question \(round)")
                #expect(client.receive("question \(round)".count).text == "question \(round)")
            }
            #expect(clock.now - start < .seconds(20))
        }

        @Test("all bytes arrive under a limit, the ends after them, and no timer ends a flow that is held back")
        func complete() throws {
            let server = try TCPServer.answeringAfterEnd { request in Pattern.bytes(request.count, seed: 3) }
            let reset = try TCPServer.resettingAfterAnswer(Pattern.bytes(30_000, seed: 5), unread: 1)
            let (port, broken) = (try Ports.free(), try Ports.free())
            let weir = try WeirProcess(
                routes: [
                    // More than 800 ms pass between two reads.
                    .route(
                        "slow", port, to: server.port, "bandwidth: { ingress: 1MB/s, egress: 5KB/s }",
                        "idle_timeout: 600ms", "half_close_timeout: 600ms"),
                    .route("broken", broken, to: reset.port, "bandwidth: { egress: 100KB/s }"),
                ].joined(separator: "\n"))
            let client = try TestConnection(to: Endpoint(port))
            try client.send(Pattern.bytes(20_000))
            try client.shutdownWriting()
            let other = try TestConnection(to: Endpoint(broken))
            try other.send("ab")
            let answer = client.receive()
            expectBytes(answer.bytes, Pattern.bytes(20_000, seed: 3))
            #expect(answer.ending == .endOfStream)
            // Data that an upstream sent before it broke is still delivered, however slowly.
            expectBytes(other.receive(30_000).bytes, Pattern.bytes(30_000, seed: 5))
            let samples = try weir.scrapeWhenIdle("slow")
            #expect(samples.bytes("slow", "ingress") == 20_000 && samples.bytes("slow", "egress") == 20_000)
            #expect(samples.total("weir_tcp_bytes_discarded_total") == 0)
            #expect(samples.timeouts("slow", "idle") == 0 && samples.timeouts("slow", "half_close") == 0)
            #expect(Self.pauses(samples, "slow", "egress") >= 3)
        }

        @Test("the process's limit holds for all routes together, and a reload lifts it")
        func process() throws {
            let server = try Self.source()
            let ports = try (0..<2).map { _ in try Ports.free() }
            let routes = ports.enumerated().map { String.route("r\($0)", $1, to: server.port) }
            let weir = try WeirProcess(
                routes: routes.joined(separator: "\n"), rest: "workers: 2\nlimits: { bandwidth: { egress: 10MB/s } }")
            let readers = try ports.map { port in
                let client = try TestConnection(to: Endpoint(port))
                return Repeater { _ in _ = client.receiveSome(262_144) }
            }
            defer { readers.forEach { $0.stop() } }
            try weir.scrape(until: "bytes flow on both") {
                $0.bytes("r0", "egress") > 1_000_000 && $0.bytes("r1", "egress") > 1_000_000
            }
            try Self.expectRate(in: 8e6...10.8e6, of: weir) { $0.bytes("r0", "egress") + $0.bytes("r1", "egress") }
            try weir.reload(routes: routes, rest: "workers: 2")
            // New connections are free of it; those that are open stay as they began.
            let client = try TestConnection(to: Endpoint(ports[0]))
            #expect(client.receive(50_000_000).bytes.count == 50_000_000)
        }

        @Test("datagrams beyond the rate are dropped one by one and counted, in both directions")
        func datagrams() throws {
            // Each question brings two answers.
            let server = try UDPServer { [$0.bytes, $0.bytes] }
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route(
                    "udp", port, to: server.port, scheme: "udp4", "bandwidth: { ingress: 1MB/s, egress: 1MB/s }"),
                rest: "workers: 1")
            let before = try weir.scrape()
            for direction in ["ingress", "egress"] {
                #expect(
                    before["weir_udp_drops_total", ["route": "udp", "direction": direction, "reason": "bandwidth"]] == 0
                )
            }
            #expect(before.matching("weir_throttle_pauses_total").isEmpty)
            let client = try UDPSocket()
            let clock = ContinuousClock()
            let start = clock.now
            var sent = 0
            // As fast as they are forwarded or dropped: the kernel loses none.
            while clock.now - start < .seconds(3) {
                for _ in 0..<100 { try client.send(Pattern.bytes(1_000), to: Endpoint(port)) }
                sent += 100
                try weir.scrape(until: "\(sent) are forwarded or dropped") { Self.seen($0, "ingress") == sent }
            }
            let seconds = (clock.now - start) / .seconds(1)
            let samples = try weir.scrape(until: "all answers are forwarded or dropped") {
                Self.seen($0, "egress") == 2 * $0.total("weir_udp_datagrams_total", ["direction": "ingress"])
            }
            for direction in ["ingress", "egress"] {
                let labels = ["route": "udp", "direction": direction]
                let forwarded = samples.total("weir_udp_datagrams_total", labels)
                let dropped = samples.total("weir_udp_drops_total", labels.merging(["reason": "bandwidth"]) { $1 })
                #expect(dropped > 0)
                #expect(dropped == samples.total("weir_udp_drops_total", labels))
                // A megabyte a second, the burst of 50 ms at the start, and the borrowed bytes.
                #expect(Double(forwarded) <= seconds * 1_000 + 60)
                #expect(samples.bytes("udp", direction) == forwarded * 1_000)
            }
            #expect(samples.total("weir_udp_datagrams_total", ["direction": "ingress"]) > 300)
            #expect(samples.total("weir_udp_sessions_active") == 1)
        }

        private static func seen(_ samples: Samples, _ direction: String) -> Int {
            samples.total("weir_udp_datagrams_total", ["direction": direction])
                + samples.total("weir_udp_drops_total", ["direction": direction])
        }
    }
}
