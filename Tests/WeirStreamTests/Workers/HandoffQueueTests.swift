import Glibc
import LinuxIO
import NetworkTypes
import TestSupport
import Testing

@testable import WeirStream

@Suite(.timeLimit(.minutes(1))) struct HandoffQueueTests {
    private func handoff(_ descriptor: CInt, _ listener: UInt32) -> Handoff {
        Handoff(descriptor: descriptor, listener: listener, peer: SocketAddress(.loopbackIPv4, port: 1))
    }

    @Test func `what was pushed comes out in order, until the queue is empty`() {
        let queue = HandoffQueue(capacity: 4)
        #expect(isEmpty(queue))
        for round in 0..<10 {
            for number in 0..<4 {
                let isTaken = queue.push(handoff(CInt(number), UInt32(round)))
                #expect(isTaken)
            }
            // Full: the sender keeps it.
            #expect(!queue.push(handoff(99, 99)))
            for number in 0..<4 {
                let handoff = queue.pop()
                #expect(handoff?.descriptor == CInt(number))
                #expect(handoff?.listener == UInt32(round))
            }
            #expect(isEmpty(queue))
        }
    }

    @Test func `the largest numbers survive being packed`() {
        let queue = HandoffQueue(capacity: 1)
        #expect(queue.push(handoff(.max, .max)))
        let taken = queue.pop()
        #expect(taken?.descriptor == .max)
        #expect(taken?.listener == .max)
    }

    @Test func `the address of the peer comes out as it went in`() throws {
        let queue = HandoffQueue(capacity: 2)
        let peers = [
            SocketAddress(try #require(IPAddress("203.0.113.9")), port: .max),
            SocketAddress(try #require(IPAddress("fe80::1:2:3:4")), port: 1, scope: .max),
        ]
        for peer in peers { #expect(queue.push(Handoff(descriptor: 1, listener: 2, peer: peer))) }
        for peer in peers { #expect(queue.pop()?.peer == peer) }
    }

    @Test func `a queue takes memory only where it was used`() throws {
        func residentPages() throws -> Int {
            try #require(contents(of: "/proc/self/statm").split(separator: " ").dropFirst().first.flatMap { Int($0) })
        }
        let before = try residentPages()
        // 160 MiB of cells.
        let queue = HandoffQueue(capacity: 4 << 20)
        #expect(queue.push(handoff(1, 1)))
        #expect(queue.pop()?.descriptor == 1)
        let touched = try residentPages() - before
        #expect(touched < 8_192 || Sanitizer.isPresent)
    }

    @Test func `many senders lose nothing, double nothing, and each keeps its order`() async throws {
        let senders = 8
        let each = 20_000
        let queue = HandoffQueue(capacity: 64)
        for sender in 0..<senders {
            try inBackground {
                for number in 0..<each {
                    let next = handoff(CInt(number), UInt32(sender))
                    while !queue.push(next) { sched_yield() }
                }
            }
        }
        try await offPool {
            var next = [CInt](repeating: 0, count: senders)
            var misplaced = 0
            var count = 0
            while count < senders * each {
                guard let handoff = queue.pop() else {
                    sched_yield()
                    continue
                }
                if handoff.descriptor != next[Int(handoff.listener)] { misplaced += 1 }
                next[Int(handoff.listener)] = handoff.descriptor + 1
                count += 1
            }
            #expect(misplaced == 0)
            #expect(next == [CInt](repeating: CInt(each), count: senders))
            #expect(isEmpty(queue))
        }
    }
}

private func isEmpty(_ queue: HandoffQueue) -> Bool {
    if case .none = queue.pop() { true } else { false }
}
