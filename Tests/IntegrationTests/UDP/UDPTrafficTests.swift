import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("UDP keeps datagrams as they are")
    struct UDPTrafficTests {
        @Test("0, 1, 16,385 and 65,507 bytes pass whole, both ways", arguments: [0, 1, 16_385, 65_507])
        func sizes(size: Int) throws {
            let seen = Shared<[[UInt8]]>([])
            let server = try UDPServer { datagram in
                seen.withLock { $0.append(datagram.bytes) }
                return [Pattern.bytes(size, seed: 2)]
            }
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("udp", port, to: server.port, scheme: "udp4"))
            let client = try UDPSocket()
            for _ in 0..<10 {
                try client.send(Pattern.bytes(size), to: Endpoint(port))
                let reply = try client.receive()
                expectBytes(reply.bytes, Pattern.bytes(size, seed: 2))
                #expect(reply.source == Endpoint(port))
            }
            let all = seen.withLock { $0 }
            #expect(all.count == 10)
            for bytes in all { expectBytes(bytes, Pattern.bytes(size)) }
            let samples = try weir.scrape()
            for direction in ["ingress", "egress"] {
                let labels = ["route": "udp", "direction": direction]
                #expect(samples.total("weir_udp_datagrams_total", labels) == 10)
                #expect(samples.bytes("udp", direction) == 10 * size)
                #expect(samples.total("weir_udp_drops_total", labels) == 0)
            }
            #expect(samples.total("weir_udp_sessions_opened_total", ["route": "udp"]) == 1)
            #expect(samples.total("weir_udp_sessions_active", ["route": "udp"]) == 1)
        }

        @Test("100,000 datagrams arrive in order, each once, in both directions")
        func order() throws {
            let server = try UDPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("udp", port, to: server.port, scheme: "udp4"))
            let client = try UDPSocket()
            let count = 100_000
            // At most this many under way: no socket buffer on the path can overflow, so nothing may be missing.
            let window = 64
            var next = 0
            var outOfOrder = 0
            for expected in 0..<count {
                while next < count, next < expected + window {
                    try client.send(Self.numbered(next), to: Endpoint(port))
                    next += 1
                }
                if try client.receive().bytes != Self.numbered(expected) { outOfOrder += 1 }
            }
            #expect(outOfOrder == 0)
            #expect(server.received == count)
            let samples = try weir.scrape()
            for direction in ["ingress", "egress"] {
                #expect(
                    samples.total("weir_udp_datagrams_total", ["route": "udp", "direction": direction]) == count)
            }
        }

        /// A datagram that holds its number; lengths vary, so that batches of equal and of unequal ones occur.
        private static func numbered(_ number: Int) -> [UInt8] {
            let text = Array("\(number):".utf8)
            return text + [UInt8](repeating: UInt8(number % 251), count: (number / 100) % 3 * 20)
        }

        @Test("clients never get each other's replies")
        func clientsDoNotMix() throws {
            // The reply names the client port that the server saw, so that a reply on the wrong session is detected.
            let server = try UDPServer { datagram in [datagram.bytes + Array(" \(datagram.source.port)".utf8)] }
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("udp", port, to: server.port, scheme: "udp4"))
            let clients = try (0..<20).map { _ in try UDPSocket() }
            var upstreamPorts: [Int: Set<Substring>] = [:]
            for round in 0..<100 {
                for (index, client) in clients.enumerated() {
                    try client.send(Array("\(index)/\(round)".utf8), to: Endpoint(port))
                }
                for (index, client) in clients.enumerated() {
                    let words = String(decoding: try client.receive().bytes, as: UTF8.self).split(separator: " ")
                    #expect(words.count == 2)
                    #expect(words.first == "\(index)/\(round)")
                    if let last = words.last { upstreamPorts[index, default: []].insert(last) }
                }
            }
            // One session per client, kept for all rounds.
            #expect(upstreamPorts.values.allSatisfy { $0.count == 1 })
            #expect(Set(upstreamPorts.values.compactMap(\.first)).count == clients.count)
            let samples = try weir.scrape()
            #expect(samples.total("weir_udp_sessions_opened_total") == clients.count)
        }

        @Test(
            "on a wildcard bind the reply comes from the address that was asked", arguments: ["127.0.0.1", "127.0.0.2"])
        func replyAddress(asked: String) throws {
            let server = try UDPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("udp", port, to: server.port, scheme: "udp"))
            let client = try UDPSocket()
            for _ in 0..<5 {
                try client.send(Array("who".utf8), to: Endpoint(asked, port))
                #expect(try client.receive().source == Endpoint(asked, port))
            }
            #expect(try weir.scrape().total("weir_udp_datagrams_total", ["direction": "egress"]) == 5)
        }

        @Test("IPv6 clients are served on a dual-stack route, to an IPv4 upstream")
        func dualStack() throws {
            let server = try UDPServer.echo()
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("udp", port, to: server.port, scheme: "udp"))
            let client = try UDPSocket(bindingTo: Endpoint("::1", 0))
            try client.send(Array("six".utf8), to: Endpoint("::1", port))
            let reply = try client.receive()
            #expect(reply.bytes == Array("six".utf8))
            #expect(reply.source == Endpoint("::1", port))
            #expect(try weir.scrape().total("weir_udp_sessions_opened_total") == 1)
        }

        @Test("a dead upstream shows as refused, and when it comes back the next datagram passes")
        func deadUpstream() throws {
            let upstreamPort = try Ports.free()
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("udp", port, to: upstreamPort, scheme: "udp4"))
            let client = try UDPSocket()
            let refused = [
                "route": "udp", "protocol": "udp", "upstream": "127.0.0.1:\(upstreamPort)", "reason": "refused",
            ]
            #expect(try weir.scrape()["weir_udp_upstream_errors_total", refused] == 0)
            for attempt in 1...3 {
                try client.send(Array("anyone".utf8), to: Endpoint(port))
                try weir.scrape(until: "refusal \(attempt) is counted") {
                    $0["weir_udp_upstream_errors_total", refused] ?? 0 >= Double(attempt)
                }
            }
            let server = try UDPServer.echo(port: upstreamPort)
            try client.send(Array("back".utf8), to: Endpoint(port))
            #expect(try client.receive().bytes == Array("back".utf8))
            #expect(server.received == 1)
            let samples = try weir.scrape()
            #expect(samples.total("weir_udp_sessions_opened_total") == 1)
            #expect(samples.total("weir_udp_sessions_closed_total") == 0)
        }
    }
}
