import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("Peers that fall silent")
    struct VanishedPeerTests {
        private static let keepalive = "keepalive: { idle: 1s, interval: 1s, count: 2 }"

        @Test("a client and an upstream that vanish without a word are noticed by keepalive, each by its own name")
        func vanished() throws {
            let (network, far) = (try NetworkNamespace(), try NetworkNamespace())
            try NetworkNamespace.connect(network, far, net: 83)
            let farServer = try far.run { try TCPServer.echo(host: "10.83.0.2") }
            try network.run {
                let server = try TCPServer.echo()
                let (toNear, toFar) = (try Ports.free(), try Ports.free())
                let weir = try WeirProcess(
                    routes: [
                        String.route("client-gone", toNear, to: server.port, Self.keepalive),
                        .route("upstream-gone", toFar, to: farServer.port, host: "10.83.0.2", Self.keepalive),
                    ].joined(separator: "\n"), launcher: network.launcher)
                let goes = try far.run { try TestConnection(to: Endpoint("10.83.0.1", toNear)) }
                let stays = try TestConnection(to: Endpoint(toFar))
                for client in [goes, stays] {
                    try client.send("hello")
                    #expect(client.receive(5).text == "hello")
                }
                // No FIN, no reset, no ICMP: the cable is cut at the far end.
                try far.ip("link set cable83 down")
                #expect(stays.receive().ending == .reset)
                for (route, reason) in [("client-gone", "client_timeout"), ("upstream-gone", "upstream_timeout")] {
                    let samples = try weir.scrapeWhenIdle(route)
                    #expect(samples.closed(route, reason) == 1)
                    #expect(samples.closed(route) == 1)
                    #expect(samples.bytes(route, "ingress") == 5)
                    #expect(samples.bytes(route, "egress") == 5)
                    // The kernel's probes do not count as a timeout of Weir.
                    #expect(samples.total("weir_timeouts_total", ["route": route]) == 0)
                    #expect(samples.total("weir_upstream_connections_active", ["route": route]) == 0)
                }
                try far.ip("link set cable83 up")
                let back = try TestConnection(to: Endpoint(toFar))
                try back.send("again")
                #expect(back.receive(5).text == "again")
            }
        }

        @Test("a reader that stops for longer than keepalive would take gets everything, in both directions")
        func stoppedReader() throws {
            let size = 12 << 20
            let wanted = Pattern.bytes(size)
            let mayRead = TestSemaphore()
            let server = try TCPServer { connection in
                try connection.setTimeouts(seconds: 60)
                let first = connection.receive(1)
                if first.text == "u" {
                    // The upstream is the one that stops.
                    mayRead.wait()
                    let rest = connection.receive()
                    try connection.send(rest.bytes == wanted && rest.ending == .endOfStream ? "whole" : "broken")
                } else {
                    try connection.send(wanted)
                }
            }
            let port = try Ports.free()
            let weir = try WeirProcess(routes: .route("stop", port, to: server.port, Self.keepalive))
            let down = try TestConnection(to: Endpoint(port), receiveBuffer: 16_384)
            try down.send("d")
            let up = try TestConnection(to: Endpoint(port))
            try up.setTimeouts(seconds: 60)
            try up.send("u")
            let sent = TestSemaphore()
            Thread {
                try? up.send(wanted)
                try? up.shutdownWriting()
                sent.signal()
            }.start()
            try weir.scrape(until: "both directions stand") { samples in
                ["ingress", "egress"].allSatisfy {
                    samples.total("weir_tcp_backpressure_pauses_total", ["route": "stop", "direction": $0]) >= 1
                }
            }
            // Keepalive would give up after three seconds without an answer.
            let start = ContinuousClock().now
            try waitUntil("five seconds pass") { ContinuousClock().now - start >= .seconds(5) }
            let standing = try weir.scrape()
            #expect(standing.active("stop") == 2)
            #expect(standing.bytes("stop", "egress") < size)
            #expect(standing.bytes("stop", "ingress") < size)

            mayRead.signal()
            let received = down.receive()
            expectBytes(received.bytes, wanted)
            #expect(received.ending == .endOfStream)
            #expect(up.receive().text == "whole")
            sent.wait()
            down.close()
            up.close()
            let samples = try weir.scrapeWhenIdle("stop")
            #expect(samples.closed("stop", "upstream_eof") == 1)
            #expect(samples.closed("stop", "client_eof") == 1)
            #expect(samples.bytes("stop", "egress") == size + 5)
            #expect(samples.bytes("stop", "ingress") == size + 2)
            #expect(samples.total("weir_tcp_bytes_discarded_total") == 0)
        }
    }
}
