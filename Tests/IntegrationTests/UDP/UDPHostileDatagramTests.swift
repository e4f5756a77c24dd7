import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("Datagrams that are not what they say", .timeLimit(.minutes(2)))
    struct UDPHostileDatagramTests {
        /// Packets with false headers, from one endpoint to another, each with the bytes that may be forwarded, if any.
        private static func packets(from source: Endpoint, to target: Endpoint) -> [(UDPPacket, [UInt8]?)] {
            let ten = [UInt8](repeating: 7, count: 10)
            var result: [(UDPPacket, [UInt8]?)] = []
            /// A length that is longer than the packet, or shorter than the header, is no datagram.
            for length in [UInt16](0..<8) + [19, 27, 1_008, 65_515, 65_535] {
                var packet = UDPPacket(from: source, to: target, ten)
                packet.statedLength = length
                result.append((packet, nil))
            }
            // One that is shorter than the packet, but holds the header, is: the kernel cuts off the rest (RFC 768).
            var short = UDPPacket(from: source, to: target, [1, 2, 3, 4] + ten)
            short.statedLength = 12
            result.append((short, [1, 2, 3, 4]))
            result.append((UDPPacket(from: source, to: target, []), []))
            // Half a header.
            let whole = UDPPacket(from: source, to: target, Pattern.bytes(4_000))
            for length in [1, 4, 7] {
                var stub = UDPPacket(from: source, to: target, [])
                stub.range = 0..<length
                // The end of a datagram of that length: no fragment follows.
                stub.isLast = true
                result.append((stub, nil))
            }
            // Fragments of datagrams that never become whole: first ones, middle ones, last ones.
            for number in UInt16(1)...30 {
                let range = [0..<1_480, 1_480..<2_960, 2_960..<4_008][Int(number) % 3]
                result.append((whole.fragment(range, identifier: number), nil))
            }
            // One that does, the last fragment first.
            result.append((whole.fragment(1_480..<4_008, identifier: 99), nil))
            result.append((whole.fragment(0..<1_480, identifier: 99), whole.payload))
            return result
        }

        @Test("headers that lie, fragments that never end: nothing of that is forwarded, and all else goes on")
        func lies() throws {
            let seen = Shared<[UDPSocket.Datagram]>([])
            let server = try UDPServer { datagram in
                seen.withLock { $0.append(datagram) }
                return datagram.bytes == [9] ? [[9]] : []
            }
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("udp", port, to: server.port, scheme: "udp4"))
            let raw = try RawSocket()
            let honest = try UDPSocket()
            let hostile = Endpoint("127.66.9.9", 2_345)
            try honest.send([9], to: Endpoint(port))
            #expect(try honest.receive().bytes == [9])
            let session = try #require(seen.withLock { $0.first }).source

            // Towards the upstream.
            let inward = Self.packets(from: hostile, to: Endpoint(port))
            for (packet, _) in inward { try raw.send(packet) }
            try honest.send([9], to: Endpoint(port))
            #expect(try honest.receive().bytes == [9])
            let wanted = inward.compactMap(\.1)
            // Another worker may have these, so the answer to the honest datagram proves nothing about them.
            let arrived = try waitFor("what is whole has arrived") {
                let others = seen.withLock { $0 }.filter { $0.source != session }.map(\.bytes)
                return others.count >= wanted.count ? others : nil
            }
            #expect(arrived.map(\.count) == wanted.map(\.count))
            for (got, want) in zip(arrived, wanted) { expectBytes(got, want) }

            // Towards the client, as if the upstream had sent them.
            let outward = Self.packets(from: server.endpoint, to: session)
            for (packet, _) in outward { try raw.send(packet) }
            try honest.send([9], to: Endpoint(port))
            for want in outward.compactMap(\.1) + [[9]] { expectBytes(try honest.receive().bytes, want) }
            #expect(!honest.isReadable())

            // Counted after it was sent.
            let samples = try weir.scrape(until: "the last one is counted") {
                $0.total("weir_udp_datagrams_total", ["direction": "egress"]) == wanted.count + 3
            }
            let bytes = wanted.reduce(0) { $0 + $1.count } + 3
            for direction in ["ingress", "egress"] {
                let labels = ["route": "udp", "direction": direction]
                #expect(samples.total("weir_udp_datagrams_total", labels) == wanted.count + 3)
                #expect(samples.bytes("udp", direction) == bytes)
                #expect(samples.total("weir_udp_drops_total", labels) == 0)
            }
            #expect(samples.total("weir_udp_sessions_opened_total") == 2)
            #expect(samples.total("weir_udp_sessions_active") == 2)
            #expect(samples.total("weir_udp_upstream_errors_total") == 0)
        }

        @Test("datagrams with a wrong checksum are not forwarded; what the socket dropped of them is counted")
        func wrongChecksums() throws {
            let server = try UDPServer.echo()
            let port = try Ports.free()
            // One socket, so that its drops are reported with the next datagram of any client.
            let weir = try WeirProcess(
                routes: .route("udp", port, to: server.port, scheme: "udp4"), rest: "workers: 1")
            let raw = try RawSocket()
            for number in 0..<50 {
                // Short ones the kernel looks at when they come, and forgets; long ones when the socket is read.
                let payload = [UInt8](repeating: 1, count: number < 25 ? 200 : 2)
                var packet = UDPPacket(from: Endpoint("127.66.9.9", 2_345), to: Endpoint(port), payload)
                packet.checksum = 0xdead
                try raw.send(packet)
            }
            let client = try UDPSocket()
            var asked = 0
            // The kernel reports drops with a later datagram.
            let samples = try weir.scrape(until: "the drops are told") {
                asked += 1
                try client.send([1], to: Endpoint(port))
                #expect(try client.receive().bytes == [1])
                return $0.total("weir_udp_drops_total", ["reason": "kernel_overflow"]) > 0
            }
            #expect(samples.total("weir_udp_drops_total", ["reason": "kernel_overflow"]) == 25)
            #expect(samples.total("weir_udp_drops_total") == 25)
            let after = try weir.scrape()
            #expect(after.total("weir_udp_datagrams_total", ["direction": "ingress"]) == asked)
            #expect(after.total("weir_udp_sessions_opened_total") == 1)
            #expect(server.received == asked)
        }

        @Test("65,527 bytes pass over IPv6 both ways; towards IPv4 they are too large, and only they are dropped")
        func longest() throws {
            let longest = Pattern.bytes(65_527)
            let answers = [longest, [5]]
            let server6 = try UDPServer(host: "::1") { $0.bytes.count < 10 ? answers : [longest] }
            let server4 = try UDPServer.echo()
            let (six, four, mapped) = (try Ports.free(), try Ports.free(), try Ports.free())
            let weir = try WeirProcess(
                routes: [
                    .route("six", six, to: server6.port, scheme: "udp6", host: "\"::1\""),
                    .route("to-four", four, to: server4.port, scheme: "udp6"),
                    .route("to-six", mapped, to: server6.port, scheme: "udp4", host: "\"::1\""),
                ].joined(separator: "\n"))
            // Both sides can: whole, both ways.
            let client6 = try UDPSocket(bindingTo: Endpoint("::1", 0))
            try client6.send(longest, to: Endpoint("::1", six))
            expectBytes(try client6.receive().bytes, longest)
            // The upstream cannot.
            try client6.send(longest, to: Endpoint("::1", four))
            try client6.send(Array(longest.prefix(65_507)), to: Endpoint("::1", four))
            expectBytes(try client6.receive().bytes, Array(longest.prefix(65_507)))
            // The client cannot: of two answers it gets the other.
            let client4 = try UDPSocket()
            try client4.send([1], to: Endpoint(mapped))
            #expect(try client4.receive().bytes == [5])

            let samples = try weir.scrape()
            for (route, inward, outward) in [("six", 65_527, 65_527), ("to-four", 65_507, 65_507), ("to-six", 1, 1)] {
                #expect(samples.bytes(route, "ingress") == inward)
                #expect(samples.bytes(route, "egress") == outward)
                #expect(samples.total("weir_udp_datagrams_total", ["route": route, "direction": "ingress"]) == 1)
                #expect(samples.total("weir_udp_datagrams_total", ["route": route, "direction": "egress"]) == 1)
                #expect(samples.total("weir_udp_sessions_active", ["route": route]) == 1)
            }
            let tooLarge = [("to-four", "ingress"), ("to-six", "egress")]
            for (route, direction) in tooLarge {
                let labels = ["route": route, "direction": direction, "reason": "too_large"]
                #expect(samples.total("weir_udp_drops_total", labels) == 1)
            }
            #expect(samples.total("weir_udp_drops_total") == tooLarge.count)
            #expect(samples.total("weir_udp_upstream_errors_total", ["reason": "too_big"]) == 1)
            #expect(samples.total("weir_udp_upstream_errors_total") == 1)
        }
    }
}
