import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("A UDP flood", .timeLimit(.minutes(2)))
    struct UDPFloodTests {
        /// Counts what the game sends, too: the books are exact.
        private final class Player {
            let socket: UDPSocket
            let endpoint: Endpoint
            private(set) var sent = 0
            private(set) var answered = 0

            init(_ endpoint: Endpoint) throws {
                self.endpoint = endpoint
                socket = try UDPSocket()
                try socket.connect(to: endpoint)
            }

            /// Asks for the port that its session has at the upstream. The kernel may drop a question of a client
            /// beside a flood; a session that lives answers one of the next.
            func ask() throws -> String {
                for _ in 0..<20 {
                    sent += 1
                    let question = "q\(sent)"
                    try socket.send(Array(question.utf8), to: endpoint)
                    while socket.isReadable(within: 500) {
                        let words = String(decoding: try socket.receive().bytes, as: UTF8.self).split(separator: " ")
                        answered += 1
                        // An answer to an earlier question may come late.
                        if words.count == 2, words[0] == question { return String(words[1]) }
                    }
                }
                throw DeadlineExceeded(description: "no answer to any of 20 questions")
            }
        }

        @Test("100,000 sources: a game inside keeps its session and its replies, and every datagram is in the books")
        func flood() throws {
            let flooded = UInt8(ascii: "f")
            // The flood gets no reply: its sessions stay unassured.
            let server = try UDPServer { datagram in
                datagram.bytes.first == flooded ? [] : [datagram.bytes + Array(" \(datagram.source.port)".utf8)]
            }
            let port = try Ports.free()
            let limit = 4_000
            let sources = 100_000
            let weir = try WeirProcess(
                routes: .route("game", port, to: server.port, scheme: "udp4", "max_sessions: \(limit)"))
            let player = try Player(Endpoint(port))
            let session = try player.ask()
            #expect(try player.ask() == session)
            let memoryBefore = weir.process.residentBytes
            var flood = try ManySources(to: Endpoint(port), [flooded])
            var peakDescriptorCount = 0
            let round = 250
            for first in stride(from: 0, to: sources, by: round) {
                try flood.send(from: first..<first + round)
                // The answer also says that what was before it has been read: little of the flood is lost in the
                // kernel.
                try #require(try player.ask() == session)
                if first % 10_000 == 0 { peakDescriptorCount = max(peakDescriptorCount, weir.process.descriptorCount) }
            }
            let sent = sources + player.sent
            let game = ["route": "game"]
            let inward = ["route": "game", "direction": "ingress"]
            // Drops by the kernel before Weir could read are reported a moment later.
            let samples = try weir.scrape(until: "each of \(sent) datagrams is forwarded or dropped by name") {
                $0.total("weir_udp_datagrams_total", inward) + $0.total("weir_udp_drops_total", inward) == sent
            }
            let lost = samples.total("weir_udp_drops_total", inward.merging(["reason": "kernel_overflow"]) { $1 })
            #expect(samples.total("weir_udp_drops_total", inward) == lost)
            #expect(lost < sources / 2)
            // Each source whose datagram was read has opened a session, and all but those in the table made room.
            let opened = samples.total("weir_udp_sessions_opened_total", game)
            let closed = samples.total("weir_udp_sessions_closed_total", game)
            let evicted = samples.total("weir_udp_sessions_closed_total", game.merging(["reason": "evicted"]) { $1 })
            let active = samples.total("weir_udp_sessions_active", game)
            let rejected = samples.total("weir_udp_sessions_rejected_total", game)
            #expect(opened <= sources + 1)
            #expect(opened >= sources + 1 - lost)
            #expect(opened == active + closed + rejected)
            #expect(active == limit)
            #expect(closed == evicted)
            #expect(rejected == 0)
            #expect(samples.total("weir_dial_failures_total") == 0)
            #expect(try player.ask() == session)
            let after = try weir.scrape()
            #expect(
                after.total("weir_udp_datagrams_total", ["route": "game", "direction": "egress"]) == player.answered)
            #expect(peakDescriptorCount < limit + 200)
            #expect(weir.process.residentBytes < memoryBefore + 64 << 20)
        }
    }
}
