import LinuxIO
import TestSupport
import Testing

@testable import WeirStream

/// Relays whose channels behave badly by a seeded schedule: short reads and writes, would-block, turns without a byte,
/// output that waits, breaks. Every byte that was read is accounted for, whatever happens.
@Suite(.timeLimit(.minutes(5))) struct RelayScheduleTests {
    private struct Result {
        let rig: RelayRig
        let client: FaultySession
        let upstream: FaultySession
        let question: [UInt8]
        let answer: [UInt8]
    }

    private static func run(seed: UInt64, breaksOnceIn: Int) throws -> Result {
        var generator = SeededGenerator(seed: seed)
        func session() -> FaultySession {
            let traits: ChannelTraits = Bool.random(using: &generator) ? [.reportsUnacknowledged] : []
            return FaultySession(seed: generator.next(), breaksOnceIn: breaksOnceIn, traits: traits)
        }
        let (client, upstream) = (session(), session())
        // At times the pool is as small as it can be.
        let memory = Bool.random(using: &generator) ? 1 : 1 << 20
        let rig = try RelayRig(bufferMemory: memory, client: client, upstream: upstream, bufferSize: 4_096)
        rig.faulty = [client, upstream]
        let question = Pattern.bytes(Int.random(in: 0...60_000, using: &generator), seed: seed)
        let answer = Pattern.bytes(Int.random(in: 0...60_000, using: &generator), seed: seed ^ 1)
        rig.clientEnd.send(question, thenEnd: true)
        rig.upstreamEnd.send(answer, thenEnd: true)
        rig.advance()
        try rig.run(until: "seed \(seed) ends") { $0.isDone }
        return Result(rig: rig, client: client, upstream: upstream, question: question, answer: answer)
    }

    @Test func `without breaks every byte arrives in order, and both ends are passed on`() throws {
        for seed in 1...UInt64(fuzzRounds(60)) {
            let result = try Self.run(seed: seed, breaksOnceIn: 0)
            let rig = result.rig
            try rig.run(until: "seed \(seed): the ends are read") {
                $0.clientEnd.ending != nil && $0.upstreamEnd.ending != nil
            }
            #expect(rig.upstreamEnd.received == result.question, "seed \(seed)")
            #expect(rig.clientEnd.received == result.answer, "seed \(seed)")
            #expect(rig.upstreamEnd.ending == .end && rig.clientEnd.ending == .end, "seed \(seed)")
            #expect(rig.discarded.isEmpty, "seed \(seed)")
            guard case .closed = rig.outcomes.last else {
                Issue.record("seed \(seed): \(rig.outcomes)")
                continue
            }
            #expect(rig.resources.slabs.availableByteCount >= SlabPool.slabSize, "seed \(seed)")
        }
    }

    @Test func `with breaks every byte that was read was taken by the sink or counted as discarded`() throws {
        var breakCount = 0
        for seed in 1000...UInt64(1000 + fuzzRounds(120)) {
            let result = try Self.run(seed: seed, breaksOnceIn: 60)
            let rig = result.rig
            if case .broken(let failure) = rig.outcomes.last {
                breakCount += 1
                #expect(failure.isFlushed, "seed \(seed)")
            }
            #expect(rig.ingressByteCount == UInt64(result.client.readCount), "seed \(seed)")
            #expect(rig.egressByteCount == UInt64(result.upstream.readCount), "seed \(seed)")
            #expect(
                result.client.readCount == result.upstream.takenCount + rig.discarded[.ingress, default: 0],
                "seed \(seed)")
            #expect(
                result.upstream.readCount == result.client.takenCount + rig.discarded[.egress, default: 0],
                "seed \(seed)")
            // What arrives is a beginning of what was sent, never anything else.
            #expect(result.question.starts(with: rig.upstreamEnd.received), "seed \(seed)")
            #expect(result.answer.starts(with: rig.clientEnd.received), "seed \(seed)")
        }
        #expect(breakCount > 20)
    }
}
