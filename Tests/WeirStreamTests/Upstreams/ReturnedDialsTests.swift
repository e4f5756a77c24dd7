import Testing

@testable import WeirStream

struct ReturnedDialsTests {
    private static let period = ReturnedDials.periodNanoseconds

    @Test func `dials that go back to their client are refused after many in a row without an answer, one at a time`() {
        var dials = ReturnedDials()
        func refusals(_ count: Int, at now: UInt64) -> Int { (0..<count).count { _ in !dials.allow(now: now) } }
        #expect(refusals(ReturnedDials.maxCount, at: 5) == 0)
        #expect(refusals(1, at: 6) == 1)
        #expect(refusals(ReturnedDials.maxCount / 2, at: 7) == 0)
        #expect(refusals(1, at: 8) == 1)
        // An answer shows a server.
        dials.noteServer()
        #expect(refusals(ReturnedDials.maxCount, at: 9) == 0)
        dials.noteServer()
        #expect(refusals(ReturnedDials.maxCount, at: 10) == 0)
        // Slow enough, they do no harm.
        #expect(refusals(ReturnedDials.maxCount, at: 11 + Self.period) == 0)
    }
}
