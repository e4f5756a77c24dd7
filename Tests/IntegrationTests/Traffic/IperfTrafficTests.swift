import TestSupport
import Testing

extension Integration {
    @Suite("iperf3 both ways and over UDP")
    struct IperfTrafficTests {
        /// The bound on bytes of the control connection, beside the measured stream.
        private static let controlBytes = 65_536

        private static func routes(_ port: UInt16, to upstream: UInt16) -> String {
            """
            bulk-tcp: { scheme: tcp4, host: 127.0.0.1, port: "\(port):\(upstream)" }
            bulk-udp: { scheme: udp4, host: 127.0.0.1, port: "\(port):\(upstream)" }
            """
        }

        @Test("one TCP stream in either direction", arguments: ["ingress", "egress"])
        func stream(direction: String) throws {
            let server = try IperfServer()
            let port = try Ports.free()
            let weir = try WeirProcess(routes: Self.routes(port, to: server.port))
            let report = try IperfServer.runClient(
                port: port, ["-n", "256M"] + (direction == "egress" ? ["-R"] : []))
            let samples = try weir.scrapeWhenIdle("bulk-tcp")
            let counted = samples.bytes("bulk-tcp", direction)
            // The receiving side stops reading at the end of the test, so what was in flight may differ: on a busy
            // machine the full buffers of four sockets. What it did read must have been carried, and what was never
            // sent cannot have been. It looks at its bound between rounds of ten blocks of 128 KiB, which a busy
            // machine makes it finish.
            #expect((256 << 20...(256 << 20) + 10 << 17).contains(report.sentBytes))
            #expect(report.receivedBytes >= 128 << 20)
            #expect(counted >= report.receivedBytes)
            #expect(counted <= report.sentBytes + Self.controlBytes)
            #expect(samples.accepted("bulk-tcp") == 2)
            #expect(samples.closed("bulk-tcp") == 2)
        }

        @Test("four TCP streams at once, both ways at the same time")
        func bidirectional() throws {
            let server = try IperfServer()
            let port = try Ports.free()
            let weir = try WeirProcess(routes: Self.routes(port, to: server.port))
            // iperf3 ends the test once this much has moved, whichever way it went.
            _ = try IperfServer.runClient(port: port, ["-n", "64M", "-P", "2", "--bidir"])
            let samples = try weir.scrapeWhenIdle("bulk-tcp")
            let (ingress, egress) = (samples.bytes("bulk-tcp", "ingress"), samples.bytes("bulk-tcp", "egress"))
            #expect(ingress + egress >= 64 << 20)
            #expect(ingress > 1 << 20)
            #expect(egress > 1 << 20)
            #expect(samples.accepted("bulk-tcp") == 5)
            #expect(samples.closed("bulk-tcp") == 5)
        }

        @Test("UDP: every datagram sent is either forwarded or counted as dropped")
        func datagrams() throws {
            let server = try IperfServer()
            let port = try Ports.free()
            let weir = try WeirProcess(routes: Self.routes(port, to: server.port))
            let report = try IperfServer.runClient(port: port, ["-u", "-b", "50M", "-l", "1200", "-t", "3"])
            let ingress = ["route": "bulk-udp", "direction": "ingress"]
            // iperf3 opens a UDP stream with one datagram of four bytes each way.
            let samples = try weir.scrape(until: "all datagrams are accounted for") {
                $0.total("weir_udp_datagrams_total", ingress) + $0.total("weir_udp_drops_total", ingress)
                    >= report.packets + 1
            }
            let forwarded = samples.total("weir_udp_datagrams_total", ingress)
            let dropped = samples.total("weir_udp_drops_total", ingress)
            #expect(report.packets > 1_000)
            #expect(forwarded + dropped == report.packets + 1)
            #expect(samples.bytes("bulk-udp", "ingress") == (forwarded - 1) * 1_200 + 4)
            #expect(samples.bytes("bulk-udp", "egress") == 4)
        }
    }
}
