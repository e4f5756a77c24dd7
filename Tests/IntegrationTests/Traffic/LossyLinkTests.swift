import Foundation
import TestSupport
import Testing

extension Integration {
    @Suite("A link that loses packets")
    struct LossyLinkTests {
        @Test("every byte arrives in both directions although each loses a fifth of its packets")
        func loss() throws {
            let (network, far) = (try NetworkNamespace(), try NetworkNamespace())
            try NetworkNamespace.connect(network, far, net: 84)
            for end in [network, far] {
                try end.command(
                    "iptables-legacy",
                    "-A INPUT -i cable84 -m statistic --mode random --probability 0.2 -j DROP")
            }
            let size = 60_000
            try network.run {
                let server = try TCPServer.echo()
                let port = try Ports.free()
                let weir = try WeirProcess(routes: .route("lossy", port, to: server.port), launcher: network.launcher)
                let flows = 4
                let done = TestSemaphore()
                let results = Shared<[Result<Void, any Error>]>([])
                for flow in 0..<flows {
                    Thread {
                        let result = Result { try Self.exchange(Endpoint("10.84.0.1", port), from: far, flow, size) }
                        results.withLock { $0.append(result) }
                        done.signal()
                    }.start()
                }
                for _ in 0..<flows { done.wait() }
                for result in results.withLock({ $0 }) { try result.get() }
                let samples = try weir.scrapeWhenIdle("lossy")
                #expect(samples.accepted("lossy") == flows)
                #expect(samples.closed("lossy", "client_eof") == flows)
                #expect(samples.bytes("lossy", "ingress") == flows * size)
                #expect(samples.bytes("lossy", "egress") == flows * size)
                #expect(samples.total("weir_tcp_bytes_discarded_total") == 0)
            }
        }

        /// Sends a pattern of its own while it reads the echo.
        private static func exchange(
            _ endpoint: Endpoint, from far: NetworkNamespace, _ flow: Int, _ size: Int
        ) throws {
            let client = try far.run { try TestConnection(to: endpoint, connectTimeoutSeconds: 60) }
            try client.setTimeouts(seconds: 60)
            let wanted = Pattern.bytes(size, seed: UInt64(flow + 1))
            Thread {
                try? client.send(wanted)
                try? client.shutdownWriting()
            }.start()
            let received = client.receive()
            #expect(received.ending == .endOfStream)
            expectBytes(received.bytes, wanted)
        }
    }
}
