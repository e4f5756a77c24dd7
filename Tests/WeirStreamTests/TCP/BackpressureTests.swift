import Glibc
import TestSupport
import Testing

@testable import WeirStream

@Suite(.timeLimit(.minutes(1))) struct BackpressureTests {
    /// Whether bytes are what stands at an offset of a piece that is sent again and again. By memcmp(3): a debug build
    /// takes a minute for what it would do byte by byte.
    private static func isPart(_ bytes: [UInt8], of piece: [UInt8], at offset: Int) -> Bool {
        let start = offset % piece.count
        let first = min(bytes.count, piece.count - start)
        return bytes.withUnsafeBytes { got in
            piece.withUnsafeBytes { wanted in
                guard let got = got.baseAddress, let wanted = wanted.baseAddress else { return false }
                return memcmp(got, wanted + start, first) == 0
                    && memcmp(got + first, wanted, bytes.count - first) == 0
            }
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
            var got = 0
            while got < total {
                let received = client.receiveSome(1 << 20)
                try #require(!received.bytes.isEmpty)
                try #require(Self.isPart(received.bytes, of: piece, at: got), "\(received.bytes.count) bytes at \(got)")
                got += received.bytes.count
            }
            #expect(got == total)
            #expect(client.receive().isWhole([]))
            client.close()
            try rig.recorder.expect(.closed(.upstreamEOF))
            #expect(rig.recorder.totals.map(\.egressBytes) == [UInt64(total)])
            #expect(!rig.recorder.events.contains { if case .discarded = $0 { true } else { false } })
        }
    }

    @Test func `a connection that waits for buffer memory continues when others release theirs`() async throws {
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
