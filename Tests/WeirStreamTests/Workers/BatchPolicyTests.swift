import LinuxIO
import TestSupport
import Testing

@testable import WeirStream

@Suite struct BatchPolicyTests {
    private static let period = BatchPolicy.periodNanoseconds

    @Test func `a busy worker becomes batch work, a worker with little to do normal again, with a gap between`() {
        var policy = BatchPolicy(now: 0)
        #expect(policy.note(busy: Self.period / 100 * 24, now: Self.period) == nil)
        #expect(policy.note(busy: Self.period / 100 * 25, now: Self.period * 2) == true)
        #expect(policy.note(busy: Self.period / 100 * 13, now: Self.period * 3) == nil)
        #expect(policy.isBatch)
        #expect(policy.note(busy: Self.period / 100 * 11, now: Self.period * 4) == false)
        #expect(!policy.isBatch)
    }

    @Test func `many short turns count together, and nothing changes before the period is over`() {
        var policy = BatchPolicy(now: 0)
        for turn in 1..<100 {
            #expect(policy.note(busy: Self.period / 200, now: Self.period / 100 * UInt64(turn)) == nil)
        }
        #expect(policy.note(busy: Self.period / 200, now: Self.period) == true)
    }

    @Test func `the system lets a thread be batch work and come back`() async throws {
        try await offPool {
            #expect(Thread.isScheduledNormally)
            #expect(Thread.scheduleAsBatch(true))
            #expect(Thread.isScheduledAsBatch)
            #expect(Thread.scheduleAsBatch(false))
            #expect(Thread.isScheduledNormally)
        }
    }
}
