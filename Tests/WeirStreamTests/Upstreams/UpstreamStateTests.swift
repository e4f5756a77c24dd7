import NetworkTypes
import Testing

@testable import WeirStream

struct UpstreamStateTests {
    private static let period = UpstreamState.returnsPeriodNanoseconds

    @Test func `dials that go back to their client are refused after many in a row without an answer, one at a time`()
        throws
    {
        let state = UpstreamState(try Upstream("192.0.2.1:1"))
        func refusals(_ count: Int, at now: UInt64) -> Int { (0..<count).count { _ in !state.mayReturn(now: now) } }
        #expect(refusals(UpstreamState.maxReturns, at: 5) == 0)
        #expect(refusals(1, at: 6) == 1)
        #expect(refusals(UpstreamState.maxReturns / 2, at: 7) == 0)
        #expect(refusals(1, at: 8) == 1)
        // An answer shows a server.
        state.noteAnswer()
        #expect(refusals(UpstreamState.maxReturns, at: 9) == 0)
        state.noteAnswer()
        #expect(refusals(UpstreamState.maxReturns, at: 10) == 0)
        // Slow enough, they hurt no one.
        #expect(refusals(UpstreamState.maxReturns, at: 11 + Self.period) == 0)
    }
}
