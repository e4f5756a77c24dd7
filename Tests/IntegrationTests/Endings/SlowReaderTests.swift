import Foundation
import Synchronization
import TestSupport
import Testing

extension Integration {
    @Suite("Readers that stop")
    struct SlowReaderTests {
        private static let flows = 100
        /// The bound on buffered bytes of one direction of a connection, plus room for all else that grows with
        /// traffic: connections, queues, the log.
        private static let keptBytesPerFlow = 128 << 10
        private static let roomBytes = 24 << 20

        /// 200 MiB in all; in `scripts/test --full` 1 GiB.
        private static var bytesPerFlow: Int {
            ProcessInfo.processInfo.environment["WEIR_LONG_TESTS"] == "true" ? 11 << 20 : 2 << 20
        }

        /// A piece is sent again and again, each time with its offset in front.
        private static let blockBytes = 65_536
        private static let piece = Pattern.bytes(blockBytes - 8)

        private static func block(flow: Int, at index: Int) -> [UInt8] {
            let mark = UInt64(flow) << 32 | UInt64(index)
            return withUnsafeBytes(of: mark.littleEndian) { Array($0) } + piece
        }

        @Test("a hundred readers that stop cost little memory, and get everything when they go on")
        func manyStoppedReaders() throws {
            let network = try NetworkNamespace()
            // Send buffers that do not grow to megabytes: the kernel would take in whole flows, and Weir kept nothing.
            try network.set("ipv4/tcp_wmem", "4096 16384 131072")
            try network.run { try Self.stopAndGoOn(launcher: network.launcher) }
        }

        private static func stopAndGoOn(launcher: [String]) throws {
            let size = bytesPerFlow
            let number = Atomic<Int>(0)
            let server = try TCPServer { connection in
                try connection.setTimeouts(seconds: 120)
                let flow = number.add(1, ordering: .relaxed).oldValue
                for index in 0..<size / blockBytes { try connection.send(block(flow: flow, at: index)) }
            }
            let port = try Ports.free()
            let weir = try WeirProcess(
                routes: .route("slow", port, to: server.port), rest: "log: { level: warning }", launcher: launcher)
            let before = weir.process.residentBytes
            let readers = try (0..<flows).map { _ in try TestConnection(to: Endpoint(port), receiveBuffer: 16_384) }
            // No client reads. All flows stand once each was held up and no byte moves any more.
            var last = -1
            let standing = try weir.scrape(until: "every flow stands", deadline: .seconds(60)) { samples in
                defer { last = samples.bytes("slow", "egress") }
                let labels = ["route": "slow", "direction": "egress"]
                return samples.total("weir_tcp_backpressure_pauses_total", labels) >= flows
                    && samples.bytes("slow", "egress") == last
            }
            #expect(standing.active("slow") == flows)
            #expect(standing.bytes("slow", "egress") < flows * size / 2)

            var flowsSeen = Set<Int>()
            for reader in readers { try flowsSeen.insert(readWhole(reader, size: size)) }
            #expect(flowsSeen == Set(0..<flows))
            for reader in readers { reader.close() }
            let samples = try weir.scrapeWhenIdle("slow")
            #expect(samples.closed("slow", "upstream_eof") == flows)
            #expect(samples.bytes("slow", "egress") == flows * size)
            #expect(samples.total("weir_tcp_bytes_discarded_total") == 0)
            let grown = weir.process.peakResidentBytes - before
            #expect(grown < flows * keptBytesPerFlow + roomBytes)
        }

        /// Reads one flow to its end and compares every byte. Returns which flow it was.
        private static func readWhole(_ reader: TestConnection, size: Int) throws -> Int {
            try reader.setTimeouts(seconds: 60)
            var flow = -1
            for index in 0..<size / blockBytes {
                let received = reader.receive(blockBytes).bytes
                try #require(received.count == blockBytes)
                if flow < 0 {
                    let mark = received.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
                    flow = Int(UInt64(littleEndian: mark) >> 32)
                }
                expectBytes(received, block(flow: flow, at: index), "flow \(flow), block \(index):")
            }
            let rest = reader.receive()
            #expect(rest.bytes.isEmpty && rest.ending == .endOfStream)
            return flow
        }
    }
}
