import TestSupport
import Testing

@testable import WeirStream

/// One worker, one flow that always has more to give, and one that wants little.
@Suite(.timeLimit(.minutes(1))) struct FairnessTests {
    /// The reads of the worker, in order.
    private struct Reads: Sendable {
        var greedy = 0
        /// How far the greedy flow was when each byte of the echo was read.
        var marks: [Int] = []
    }

    @Test func `a greedy flow moves no more than its share before a waiting byte of another flow`() async throws {
        let received = Box(0)
        let server = try TCPServer { connection in
            try connection.setTimeouts(seconds: 60)
            if connection.receive(1).text == "e" {
                while case let next = connection.receive(1), next.ending == .satisfied {
                    try connection.send(next.bytes)
                }
                return
            }
            while case let next = connection.receiveSome(1 << 20), !next.bytes.isEmpty {
                received.add(next.bytes.count)
            }
        }
        let (sent, reads, echo) = (Box(0), Box(Reads()), Box<UInt16>(0))
        let isOver = Box(false)
        let hooks = StreamHooks(onRead: { event in
            if event.context.clientAddress.port == echo.value {
                reads.update { $0.marks.append($0.greedy) }
                return .forward
            }
            guard event.direction == .ingress else { return .forward }
            let total = reads.update { reads in
                reads.greedy += event.byteCount
                return reads.greedy
            }
            // The next read finds bytes, and the next write finds room: only the worker itself can stop here.
            try? waitUntil("the greedy flow has more", deadline: .seconds(5)) {
                isOver.value || (sent.value > total && received.value + (1 << 20) > total)
            }
            return .forward
        })
        try await withTCP("\(server.endpoint)", hooks: hooks) { rig in
            let small = try rig.connect()
            echo.set(try small.localEndpoint.port)
            try small.send("e?")
            #expect(small.receive(1).text == "?")
            let greedy = try rig.connect()
            try greedy.setTimeouts(seconds: 60)
            try inBackground {
                let piece = [UInt8](repeating: 7, count: 65_536)
                try greedy.send("g")
                while !isOver.value {
                    try greedy.send(piece)
                    sent.add(piece.count)
                }
                greedy.close()
            }
            defer { isOver.set(true) }
            // As many rounds as the greedy flow needs to be one: on a busy machine its sender may be late.
            let (fewest, enough) = (30, 30 * RelayResources.bufferSize)
            var rounds = 0
            while rounds < fewest || reads.value.greedy <= enough {
                rounds += 1
                try #require(rounds < 10_000)
                let before = reads.value.marks.count
                // Both wait when the worker goes on. The greedy flow may come first, and then has one turn.
                let start = try rig.whileHeld {
                    try small.send("?")
                    return reads.value.greedy
                }
                try #require(small.receive(1).text == "?")
                let marks = reads.value.marks
                try #require(marks.count == before + 2)
                try #require(marks[before] - start <= 2 * RelayResources.maxBytesPerTurn)
            }
        }
    }
}
