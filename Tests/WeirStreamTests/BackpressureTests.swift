import TestSupport
import Testing

@testable import WeirStream

@Suite(.timeLimit(.minutes(1))) struct BackpressureTests {
    /// FNV-1a over a stream that comes in pieces.
    private struct Checksum {
        private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325
        private(set) var count = 0

        mutating func add(_ bytes: [UInt8]) {
            for byte in bytes { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }
            count += bytes.count
        }
    }

    @Test func `a slow reader gets all of it, and what is kept for it stays bounded`() async throws {
        let total = 64 << 20
        let piece = Pattern.bytes(1 << 20)
        let sent = Box(0)
        let server = try TCPServer { connection in
            try connection.setTimeouts(seconds: 60)
            while sent.value < total {
                try connection.send(piece)
                sent.add(piece.count)
            }
        }
        try await withTCP("\(server.endpoint)", engine: EngineSetup(bufferMemory: 1 << 20)) { rig in
            let client = try rig.connect(receiveBuffer: 16_384)
            // Nothing is read: the sender comes to a stop, and only the kernel's buffers and one read are filled.
            try rig.recorder.expect(.paused(.egress, .backpressure))
            var before = -1
            try waitUntil("the sender stands") {
                defer { before = sent.value }
                return before == sent.value && rig.recorder.count(.paused(.egress, .backpressure)) > 0
            }
            #expect(sent.value < total / 2)
            var got = Checksum()
            while got.count < total {
                let received = client.receiveSome(1 << 20)
                try #require(!received.bytes.isEmpty)
                got.add(received.bytes)
            }
            #expect(client.receive().isWhole([]))
            var wanted = Checksum()
            for _ in 0..<total >> 20 { wanted.add(piece) }
            #expect(got.value == wanted.value)
            client.close()
            try rig.recorder.expect(.closed(.upstreamEOF))
            #expect(rig.recorder.totals.map(\.egressBytes) == [UInt64(total)])
            #expect(!rig.recorder.events.contains { if case .discarded = $0 { true } else { false } })
        }
    }

    @Test func `who waits for buffer memory goes on when others give it back`() async throws {
        let piece = Pattern.bytes(4 << 20)
        let server = try TCPServer { connection in
            _ = connection.receive(1)
            try connection.send(piece)
        }
        // Room for two slabs: one slow reader can take it all.
        try await withTCP("\(server.endpoint)", engine: EngineSetup(bufferMemory: 32_768)) { rig in
            let slow = try rig.connect(receiveBuffer: 4096)
            try slow.send("x")
            try rig.recorder.expect(.paused(.egress, .backpressure))
            let others = try (0..<4).map { _ in try rig.connect(receiveBuffer: 4096) }
            for client in others { try client.send("x") }
            let results = Box<[Bool]>([])
            for client in [slow] + others {
                try inBackground {
                    let received = client.receive()
                    let isSame = received.bytes == piece
                    results.update { $0.append(isSame) }
                }
            }
            try waitUntil("all have everything", deadline: .seconds(30)) { results.value.count == 5 }
            #expect(results.value == [true, true, true, true, true])
        }
    }

    @Test func `what a killed slow reader never got is counted as discarded`() async throws {
        let server = try TCPServer { connection in try connection.send(Pattern.bytes(64 << 20)) }
        try await withTCP("\(server.endpoint)") { rig in
            let client = try rig.connect(receiveBuffer: 16_384)
            try rig.recorder.expect(.paused(.egress, .backpressure))
            try rig.kill()
            try rig.recorder.expect(.closed(.killed))
            let discarded = rig.recorder.events.reduce(0) { sum, event in
                if case .discarded(.egress, let count) = event { sum + count } else { sum }
            }
            #expect(discarded > 0)
            // One read or one piece of a splice at most is kept for a connection.
            #expect(discarded <= PipePool.pipeSize)
            #expect(client.receive().ending == .reset)
        }
    }
}
