import Foundation
import Synchronization
import TestSupport
import Testing

extension Integration {
    @Suite("Endurance")
    struct SoakTests {
        /// How long the mix runs: a few seconds as a rule, longer through scripts/soak.
        private static var duration: Duration {
            let seconds = ProcessInfo.processInfo.environment["WEIR_SOAK_SECONDS"].flatMap { Int($0) }
            return .seconds(seconds ?? 8)
        }

        @Test("after a mix of everything descriptors, memory, gauges and books are where they should be")
        func mix() throws {
            let echo = try TCPServer.echo()
            let resetting = try TCPServer.resettingAfterAnswer(Pattern.bytes(16_384), unread: 10)
            let datagrams = try UDPServer.echo()
            let ports = try (0..<4).map { _ in try Ports.free() }
            let routes = [
                String.route("echo", ports[0], to: echo.port), .route("reset", ports[1], to: resetting.port),
                .route("dead", ports[2], to: try Ports.free()),
                .route(
                    "udp", ports[3], to: datagrams.port, scheme: "udp4", "unassured_timeout: 1s", "idle_timeout: 2s"),
            ].joined(separator: "\n")
            let weir = try WeirProcess(routes: routes, rest: "log: { level: warning }")

            func round(_ number: Int) throws {
                let size = 1 + (number * 7_919) % 200_000
                let client = try TCPConnection(to: Endpoint(ports[0]))
                // Echoes of more than the socket buffers hold need a reader at the same time: send in parts.
                for part in stride(from: 0, to: size, by: 16_384) {
                    let bytes = Pattern.bytes(min(16_384, size - part), seed: UInt64(number + 1))
                    try client.send(bytes)
                    expectBytes(client.receive(bytes.count).bytes, bytes)
                }
                if number.isMultiple(of: 3) { try client.reset() } else { try client.shutdownWriting() }
                let other = try TCPConnection(to: Endpoint(ports[1]))
                try other.send(Pattern.bytes(11))
                #expect(other.receive().bytes.count == 16_384)
                _ = try TCPConnection(to: Endpoint(ports[2])).receive()
                let datagram = try UDPSocket(buffer: 131_072)
                try datagram.send(Pattern.bytes(size % 60_000), to: Endpoint(ports[3]))
                expectBytes(try datagram.receive().bytes, Pattern.bytes(size % 60_000))
            }

            func settle() throws -> Samples {
                try weir.scrape(until: "everything has ended", deadline: .seconds(20)) { samples in
                    ["echo", "reset", "dead"].allSatisfy { samples.active($0) == 0 }
                        && samples.total("weir_udp_sessions_active") == 0
                }
            }

            for number in 0..<50 { try round(number) }
            _ = try settle()
            let descriptors = weir.process.descriptorCount
            let memory = weir.process.residentBytes
            let clock = ContinuousClock()
            let end = clock.now + Self.duration
            var rounds = 0
            while clock.now < end, rounds < 5_000_000 {
                try round(rounds)
                rounds += 1
                if rounds % 200 == 0 {
                    try weir.replaceConfiguration(routes: routes, rest: "log: { level: warning }")
                    weir.process.send(signal: SIGHUP)
                    _ = try weir.scrape()
                }
            }
            let samples = try settle()
            #expect(rounds > 10)
            try waitUntil("descriptors are back at \(descriptors)") { weir.process.descriptorCount <= descriptors }
            #expect(weir.process.residentBytes < memory + 32 << 20)
            for route in ["echo", "reset", "dead"] {
                #expect(samples.accepted(route) == rounds + 50)
                #expect(samples.closed(route) == rounds + 50)
            }
            for direction in ["ingress", "egress"] {
                #expect(samples.total("weir_udp_datagrams_total", ["direction": direction]) == rounds + 50)
            }
            #expect(samples.total("weir_udp_drops_total") == 0)
            #expect(samples.bytes("reset", "egress") == (rounds + 50) * 16_384)
            #expect(try weir.stop() == .code(0))
        }
    }
}
