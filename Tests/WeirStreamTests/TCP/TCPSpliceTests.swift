import Glibc
import LinuxIO
import TestSupport
import Testing

@testable import WeirStream

/// Tests of transfers that are long enough for splice(2). Pieces longer than a read buffer show that it was used.
@Suite(.timeLimit(.minutes(1))) struct TCPSpliceTests {
    private static let size = 24 << 20

    private static func sizes(of hooks: inout StreamHooks, maxReadByteCount: Int? = nil) -> Box<[Direction: [Int]]> {
        let pieces = Box<[Direction: [Int]]>([:])
        hooks.onRead = { event in
            pieces.update { $0[event.direction, default: []].append(event.byteCount) }
            return .forward
        }
        hooks.maxReadByteCount = maxReadByteCount
        return pieces
    }

    /// An upstream that reads everything, and then sends it back.
    private static func mirror() throws -> TCPServer {
        try TCPServer { connection in
            try connection.setTimeouts(seconds: 30)
            let received = connection.receive()
            try connection.send(received.bytes)
        }
    }

    @Test func `a long transfer is spliced both ways, whole, and the hook sees every byte`() async throws {
        let server = try Self.mirror()
        var hooks = StreamHooks()
        let pieces = Self.sizes(of: &hooks)
        try await withTCP("\(server.endpoint)", hooks: hooks) { rig in
            let sent = Pattern.bytes(Self.size)
            let client = try rig.connect()
            try client.setTimeouts(seconds: 30)
            try client.send(sent)
            try client.shutdownWriting()
            let received = client.receive()
            expectSame(received.bytes, sent)
            #expect(received.ending == .endOfStream)
            try rig.recorder.expect(.closed(.clientEOF))
            for direction in Direction.allCases {
                let seen = pieces.value[direction] ?? []
                #expect(seen.reduce(0, +) == Self.size)
                #expect(seen.contains { $0 > RelayResources.bufferSize })
            }
            #expect(rig.recorder.totals.map(\.ingressBytes) == [UInt64(Self.size)])
            #expect(rig.recorder.totals.map(\.egressBytes) == [UInt64(Self.size)])
        }
    }

    @Test func `a limiting hook bounds the splice`() async throws {
        let server = try Self.mirror()
        var hooks = StreamHooks()
        let pieces = Self.sizes(of: &hooks, maxReadByteCount: 50_000)
        try await withTCP("\(server.endpoint)", hooks: hooks) { rig in
            let sent = Pattern.bytes(4 << 20)
            let client = try rig.connect()
            try client.send(sent)
            try client.shutdownWriting()
            expectSame(client.receive().bytes, sent)
            #expect(pieces.value[.ingress]?.max() == 50_000)
            #expect(pieces.value[.ingress]?.reduce(0, +) == 4 << 20)
        }
    }

    @Test func `a flow that turns small is copied again, and no byte changes its place`() async throws {
        let server = try TCPServer.echo()
        try await withTCP("\(server.endpoint)") { rig in
            let client = try rig.connect()
            for round in 0..<3 {
                let bulk = Pattern.bytes(4 << 20, seed: UInt64(round))
                try inBackground { try? client.send(bulk) }
                expectSame(client.receive(bulk.count).bytes, bulk)
                for index in 0..<50 {
                    let small = Pattern.bytes(1 + index * 37, seed: UInt64(index))
                    try client.send(small)
                    expectSame(client.receive(small.count).bytes, small)
                }
            }
        }
    }

    @Test func `what is in a pipe when a hook closes is discarded, and counted`() async throws {
        let server = try TCPServer { connection in
            try? connection.send(Pattern.bytes(Self.size))
            _ = connection.receive()
        }
        let passed = Box(0)
        let closing = Box(0)
        let hooks = StreamHooks(onRead: { event in
            if event.byteCount > RelayResources.bufferSize {
                closing.set(event.byteCount)
                return .close
            }
            passed.add(event.byteCount)
            return .forward
        })
        try await withTCP("\(server.endpoint)", hooks: hooks) { rig in
            let client = try rig.connect()
            let received = client.receive()
            #expect(received.ending == .reset)
            try rig.recorder.expect(.closed(.hook))
            let isCounted = rig.recorder.events.contains(.discarded(.egress, closing.value))
            #expect(closing.value > 0 && isCounted)
            #expect(rig.recorder.totals.map(\.egressBytes) == [UInt64(passed.value + closing.value)])
        }
    }

    @Test func `a reader that stops and goes on loses nothing, and its pipe serves the next one`() async throws {
        let sent = Pattern.bytes(Self.size)
        let server = try TCPServer { connection in
            try connection.setTimeouts(seconds: 30)
            try connection.send(sent)
        }
        try await withTCP("\(server.endpoint)") { rig in
            for _ in 0..<3 {
                let client = try rig.connect(receiveBuffer: 64 << 10)
                try client.setTimeouts(seconds: 30)
                var bytes = client.receive(8 << 20).bytes
                let stops = rig.recorder.count(.paused(.egress, .backpressure))
                try waitUntil("the reader is waited for") {
                    rig.recorder.count(.paused(.egress, .backpressure)) > stops || client.pendingInput > 0
                }
                bytes += client.receive().bytes
                expectSame(bytes, sent)
            }
            try rig.recorder.expect(.closed(.upstreamEOF), times: 3)
        }
    }

    @Test func `an upstream that breaks in the middle costs the client nothing of what it had sent`() async throws {
        let sent = Pattern.bytes(Self.size)
        let server = try TCPServer { connection in
            try connection.setTimeouts(seconds: 30)
            try connection.send(sent)
            // Everything has been taken when the client says so: then only the end is still to come.
            _ = connection.receive(1)
            try connection.reset()
        }
        try await withTCP("\(server.endpoint)") { rig in
            let client = try rig.connect()
            try client.setTimeouts(seconds: 30)
            expectSame(client.receive(sent.count).bytes, sent)
            try client.send("x")
            #expect(client.receive().ending == .reset)
            try rig.recorder.expect(.closed(.upstreamReset))
        }
    }

    /// A descriptor of this process whose peer is `endpoint`: the relay's side of a client's connection.
    private static func descriptor(connectedTo endpoint: Endpoint) throws -> Int32 {
        for number in 3..<Int32(1024) {
            let socket = Socket(adopting: number, family: .ipv4)
            let peer = try? socket.peerAddress()
            _ = socket.release()
            if peer?.port == endpoint.port { return number }
        }
        throw DeadlineExceeded(description: "no descriptor is connected to \(endpoint)")
    }

    @Test func `an urgent byte in the middle stays in its place, and the end behind it is seen`() async throws {
        let parts = (0..<2).map { Pattern.bytes(12 << 20, seed: $0) }
        let server = try TCPServer { connection in
            try connection.setTimeouts(seconds: 30)
            try connection.send(parts[0])
            // One only: where a second one comes before it is reached, the kernel makes the first an ordinary byte.
            try connection.sendUrgent(33)
            try connection.send(parts[1])
        }
        try await withTCP("\(server.endpoint)") { rig in
            let client = try rig.connect()
            try client.setTimeouts(seconds: 30)
            let received = client.receive()
            expectSame(received.bytes, parts[0] + [33] + parts[1])
            #expect(received.ending == .endOfStream)
            client.close()
            try rig.recorder.expect(.closed(.upstreamEOF))
        }
    }

    @Test func `a socket that takes nothing from a pipe gets its bytes copied`() async throws {
        let sent = Pattern.bytes(Self.size)
        let server = try TCPServer { connection in
            try connection.setTimeouts(seconds: 30)
            _ = connection.receive(1)
            try connection.send(sent)
        }
        try await withTCP("\(server.endpoint)") { rig in
            let client = try rig.connect()
            try client.setTimeouts(seconds: 30)
            try rig.recorder.expect(.dialed(upstream: 0))
            // splice(2): EINVAL where the target was opened in append mode.
            let relayed = try Self.descriptor(connectedTo: client.localEndpoint)
            #expect(fcntl(relayed, F_SETFL, O_NONBLOCK | O_APPEND) == 0)
            try client.send("x")
            let received = client.receive()
            expectSame(received.bytes, sent)
            #expect(received.ending == .endOfStream)
            client.close()
            try rig.recorder.expect(.closed(.upstreamEOF))
            #expect(rig.recorder.totals.map(\.egressBytes) == [UInt64(Self.size)])
        }
    }
}

@Suite struct PipePoolTests {
    @Test func `an empty pipe is used again, one with bytes in it never`() throws {
        let pool = PipePool(budget: DescriptorBudget(limit: 20_000, maxConnections: nil))
        let first = try #require(pool.acquire())
        pool.release(first)
        let again = try #require(pool.acquire())
        #expect(again === first)

        var ends: [Int32] = [0, 0]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        let source = Socket(adopting: ends[0], family: .unix)
        let other = Socket(adopting: ends[1], family: .unix)
        _ = ([1, 2, 3] as [UInt8]).withUnsafeBytes { other.send($0) }
        guard case .bytes = again.fill(from: source, limit: 100) else {
            Issue.record("nothing came out of the socket")
            return
        }
        pool.release(again)
        let next = try #require(pool.acquire())
        #expect(next !== again)
        #expect(next.count == 0)
    }

    @Test func `pipes leave the last eighth of the descriptors to connections`() throws {
        let budget = DescriptorBudget(limit: 128, maxConnections: nil)
        // 64 for traffic: at 58 in use there is no pipe any more.
        for _ in 0..<28 { #expect(budget.acquireConnection()) }
        let pool = PipePool(budget: budget)
        let pipe = try #require(pool.acquire())
        #expect(pool.acquire() == nil)
        // Given back while little is left, it is closed.
        pool.release(pipe)
        #expect(budget.acquireConnection())
        #expect(pool.acquire() == nil)
        for _ in 0..<10 { budget.releaseConnection() }
        #expect(pool.acquire() != nil)
    }
}
