import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("A UDP table that one client has filled", .timeLimit(.minutes(3)))
    struct UDPCrowdTests {
        private static let inward = ["route": "dns", "direction": "ingress"]
        private static let outward = ["route": "dns", "direction": "egress"]

        /// Sends one datagram from each port of a host, a few at a time, each few after the answers to those before.
        private static func ask(
            from host: String, _ ports: Range<UInt16>, through raw: RawSocket, to port: UInt16, of weir: WeirProcess
        ) throws {
            let sources = Array(ports)
            let before = try weir.scrape().total("weir_udp_datagrams_total", outward)
            for first in stride(from: 0, to: sources.count, by: 200) {
                for source in sources[first..<min(first + 200, sources.count)] {
                    try raw.send(UDPPacket(from: Endpoint(host, source), to: Endpoint(port), [1]))
                }
                let expected = before + min(first + 200, sources.count)
                try weir.scrape(until: "\(expected) answers were sent") {
                    $0.total("weir_udp_datagrams_total", outward) >= expected
                }
            }
        }

        @Test("one address with 16,384 ports, two datagrams each: 200 other clients are answered", arguments: [1, 2])
        func hostileAddress(workers: Int) throws {
            let server = try UDPServer.echo()
            let port = try Ports.free()
            let limit = 16_384
            let weir = try WeirProcess(
                routes: .route("dns", port, to: server.port, scheme: "udp4"), rest: "workers: \(workers)")
            let raw = try RawSocket()
            // Above the ports of listeners: a peer with the address of one would be refused as a loop.
            let ports = UInt16(24_000)..<UInt16(24_000 + limit)
            for _ in 0..<2 { try Self.ask(from: "127.66.1.1", ports, through: raw, to: port, of: weir) }
            #expect(try weir.scrape().total("weir_udp_sessions_active", ["route": "dns"]) == limit)
            var answered = 0
            let clients = try (0..<200).map { number in
                try UDPSocket(bindingTo: Endpoint("127.67.1.\(1 + number)", 0), buffer: 65_536)
            }
            for first in stride(from: 0, to: clients.count, by: 10) {
                for number in first..<first + 10 {
                    // The flood goes on beside them, from other ports.
                    for source in UInt16(0)..<20 {
                        let source = 42_000 + UInt16(number) * 20 + source
                        try raw.send(UDPPacket(from: Endpoint("127.66.1.1", source), to: Endpoint(port), [2]))
                    }
                    try clients[number].send([3], to: Endpoint(port))
                }
                answered += clients[first..<first + 10].count { $0.isReadable(within: 5_000) }
            }
            #expect(answered >= 198)
            let closed = "weir_udp_sessions_closed_total"
            let samples = try weir.scrape(until: "the others' questions are in the books") {
                $0.total(closed, ["route": "dns", "reason": "network_evicted"]) >= answered
            }
            // One session makes room for each client. With two workers the flood may take the place that an eviction of
            // the other worker has freed, and a second one makes room.
            let evicted = samples.total(closed, ["route": "dns", "reason": "network_evicted"])
            if workers == 1 { #expect(evicted <= 200) }
            #expect(samples.total("weir_udp_sessions_active", ["route": "dns"]) <= limit)
            #expect(
                samples.total("weir_udp_sessions_opened_total", ["route": "dns"])
                    == samples.total(closed, ["route": "dns"])
                    + samples.total("weir_udp_sessions_active", ["route": "dns"])
                    + samples.total("weir_udp_sessions_rejected_total", ["route": "dns"]))
            // Once they have spoken again they stay, whatever the hostile address does.
            for client in clients where client.isReadable() { _ = try client.receive() }
            var answeredAgain = 0
            for client in clients {
                try client.send([4], to: Endpoint(port))
                if client.isReadable(within: 5_000) { answeredAgain += 1 }
            }
            #expect(answeredAgain >= 198)
            let opened = samples.total("weir_udp_sessions_opened_total", ["route": "dns"])
            #expect(try weir.scrape().total("weir_udp_sessions_opened_total", ["route": "dns"]) <= opened + 2)
        }

        @Test("the bound of the process: one address that filled two routes makes room for clients of a third")
        func overRoutes() throws {
            let server = try UDPServer.echo()
            let ports = try (0..<3).map { _ in try Ports.free() }
            let weir = try WeirProcess(
                routes: zip(["a", "b", "dns"], ports).map { .route($0, $1, to: server.port, scheme: "udp4") }
                    .joined(separator: "\n"),
                rest: "workers: 1\nlimits: { max_sessions: 400 }")
            let hostile = try (0..<400).map { _ in try UDPSocket(bindingTo: Endpoint("127.66.1.1", 0), buffer: 4_096) }
            for (number, client) in hostile.enumerated() {
                for _ in 0..<2 {
                    try client.send([1], to: Endpoint(ports[number % 2]))
                    _ = try client.receive()
                }
            }
            for number in 1...50 {
                let client = try UDPSocket(bindingTo: Endpoint("127.67.1.\(number)", 0), buffer: 4_096)
                try client.send([2], to: Endpoint(ports[2]))
                #expect(try client.receive().bytes == [2])
            }
            let samples = try weir.scrape()
            #expect(samples.total("weir_udp_sessions_active") == 400)
            #expect(samples.total("weir_udp_sessions_active", ["route": "dns"]) == 50)
            #expect(samples.total("weir_udp_sessions_closed_total", ["reason": "network_evicted"]) == 50)
        }
    }
}
