import Testing

@testable import WeirStream

@Suite struct DatagramModerationTests {
    private static let period = DatagramModeration.periodNanoseconds

    /// Runs one measurement with a turn every 10 microseconds, each with the same datagrams and other events.
    private func moderation(
        datagramsPerTurn: Int, answersPerTurn: Int = 0, others: (Int) -> Int = { _ in 0 }
    ) -> DatagramModeration {
        var moderation = DatagramModeration(now: 0)
        for turn in 1...100 {
            moderation.datagramsArrived()
            moderation.received(datagramsPerTurn, .ingress)
            moderation.received(answersPerTurn, .egress)
            moderation.turned(events: 1 + others(turn), now: Self.period / 100 * UInt64(turn))
        }
        return moderation
    }

    @Test func `a flood lets datagrams gather, for as long as a batch needs and never longer than the bound`() {
        // 200,000 a second: the bound comes before the batch.
        #expect(moderation(datagramsPerTurn: 2).delayNanoseconds == DatagramModeration.maxDelayNanoseconds)
        // 1,600,000 a second: 32 need 20 microseconds.
        #expect(moderation(datagramsPerTurn: 16).delayNanoseconds == 20_000)
    }

    @Test func `a rate at which few datagrams would gather is served at once`() {
        #expect(moderation(datagramsPerTurn: 1).delayNanoseconds == 0)
        #expect(moderation(datagramsPerTurn: 0).delayNanoseconds == 0)
        // As many answers as questions do not double the rate.
        #expect(moderation(datagramsPerTurn: 1, answersPerTurn: 1).delayNanoseconds == 0)
        #expect(moderation(datagramsPerTurn: 0, answersPerTurn: 16).delayNanoseconds == 20_000)
    }

    @Test func `a worker that does something else as well does not sleep`() {
        #expect(moderation(datagramsPerTurn: 16, others: { $0 == 50 ? 1 : 0 }).delayNanoseconds == 0)
    }

    @Test func `the delay ends with the flood`() {
        var moderation = moderation(datagramsPerTurn: 16)
        #expect(moderation.delayNanoseconds > 0)
        moderation.datagramsArrived()
        moderation.received(1, .ingress)
        moderation.turned(events: 1, now: Self.period * 2)
        #expect(moderation.delayNanoseconds == 0)
    }
}
