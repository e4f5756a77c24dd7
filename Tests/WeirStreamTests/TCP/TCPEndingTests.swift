import TestSupport
import Testing

@testable import WeirStream

@Suite(.timeLimit(.minutes(1))) struct TCPEndingTests {
    @Test(arguments: [1, 10_000, 100_000])
    func `an upstream that answers and resets costs the client nothing of the answer`(count: Int) async throws {
        let answer = Pattern.bytes(count)
        let server = try TCPServer.resettingAfterAnswer(answer, unread: 10_000)
        try await withTCP("\(server.endpoint)") { rig in
            let client = try rig.connect()
            try client.send([UInt8](repeating: 1, count: 20_000))
            let received = client.receive()
            expectSame(received.bytes, answer)
            #expect(received.ending == .reset)
            try rig.recorder.expect(.closed(.upstreamReset))
            #expect(rig.recorder.totals.map(\.egressBytes) == [UInt64(count)])
        }
    }

    @Test func `a client that resets is seen as a reset by the upstream`() async throws {
        let ending = Box<TestConnection.Ending?>(nil)
        let server = try TCPServer { connection in
            try connection.send("hello")
            ending.set(connection.receive().ending)
        }
        try await withTCP("\(server.endpoint)") { rig in
            let client = try rig.connect()
            try client.send("some bytes")
            #expect(client.receive(5).text == "hello")
            try client.reset()
            try waitUntil("the upstream sees the end") { ending.value != nil }
            #expect(ending.value == .reset)
            try rig.recorder.expect(.closed(.clientReset))
            #expect(rig.recorder.totals.map(\.ingressBytes) == [10])
            #expect(rig.recorder.totals.map(\.egressBytes) == [5])
        }
    }

    @Test func `what a client sent before its reset still reaches the upstream`() async throws {
        let received = Box<TestConnection.Received?>(nil)
        let server = try TCPServer { connection in received.set(connection.receive()) }
        try await withTCP("\(server.endpoint)") { rig in
            let client = try rig.connect()
            try rig.recorder.expect(.dialed(upstream: 0))
            // The loop stands: data and reset are there together.
            try rig.whileHeld {
                try client.send("last words")
                try client.reset()
            }
            try waitUntil("the upstream sees the end") { received.value != nil }
            #expect(received.value?.ending == .reset)
            #expect(received.value?.text == "last words")
            try rig.recorder.expect(.closed(.clientReset))
        }
    }

    @Test func `a client that resets while dialing cancels the dial`() async throws {
        let upstream = try UnansweringServer()
        try await withTCP("\(upstream.endpoint)") { rig in
            let client = try rig.connect()
            try rig.recorder.expect(.opened)
            try client.reset()
            try rig.recorder.expect(.closed(.clientReset))
            #expect(rig.recorder.events == [.opened, .dialFailed(upstream: 0, .canceled), .closed(.clientReset)])
            #expect(rig.stream.openCount == 0)
            #expect(rig.recorder.totals.map(\.upstream) == [nil])
        }
    }

    @Test func `a reset outranks an end that came earlier`() async throws {
        let server = try TCPServer { connection in
            _ = connection.receive()
            try connection.reset()
        }
        try await withTCP("\(server.endpoint)") { rig in
            let client = try rig.connect()
            try client.send("x")
            try client.shutdownWriting()
            #expect(client.receive().ending == .reset)
            try rig.recorder.expect(.closed(.upstreamReset))
        }
    }

    @Test func `both totals are told once, with the upstream that was reached`() async throws {
        let server = try TCPServer { connection in
            let request = connection.receive(1000)
            try connection.send(request.bytes + request.bytes)
        }
        try await withTCP("\(server.endpoint)") { rig in
            let client = try rig.connect()
            try client.send(Pattern.bytes(1000))
            #expect(client.receive().bytes.count == 2000)
            client.close()
            try rig.recorder.expect(.closed(.upstreamEOF))
            let totals = try #require(rig.recorder.totals.first)
            #expect(totals.ingressBytes == 1000)
            #expect(totals.egressBytes == 2000)
            #expect(totals.ingressDatagrams == 0)
            #expect(totals.upstream == 0)
            #expect(totals.duration > .zero)
            #expect(rig.recorder.events == [.opened, .dialed(upstream: 0), .closed(.upstreamEOF)])
        }
    }

    @Test func `an upstream that breaks leaves what it never took as discarded`() async throws {
        let mayReset = Box(false)
        let server = try TCPServer { connection in
            // Reads nothing, so that every buffer on the way fills up.
            try waitUntil("everything stands") { mayReset.value }
            try connection.reset()
        }
        try await withTCP("\(server.endpoint)") { rig in
            let client = try rig.connect()
            let isRefused = Box(false)
            try inBackground {
                do { try client.send(Pattern.bytes(32 << 20)) } catch { isRefused.set(true) }
            }
            try rig.recorder.expect(.paused(.ingress, .backpressure))
            var before = 0
            try waitUntil("everything stands") {
                let count = rig.recorder.count(.paused(.ingress, .backpressure))
                defer { before = count }
                return count == before
            }
            mayReset.set(true)
            try rig.recorder.expect(.closed(.upstreamReset))
            try waitUntil("the client's send is refused") { isRefused.value }
            let discarded = rig.recorder.events.reduce(0) { sum, event in
                if case .discarded(.ingress, let count) = event { sum + count } else { sum }
            }
            // What the kernel had taken is gone without a trace; what was kept here is counted.
            #expect(discarded > 0)
            #expect(discarded <= PipePool.pipeSize)
        }
    }
}
