import Testing

@testable import WeirStream

struct ReturnedDialsTests {
    private static let period = ReturnedDials.periodNanoseconds

    private static func mark(_ bytes: [UInt8]) -> ChainMark {
        bytes.withUnsafeBytes { unsafe ChainMark($0) }
    }

    private static func refusals(
        of dials: inout ReturnedDials, _ count: Int, at now: UInt64, mark: ChainMark = .unknown
    ) -> Int {
        (0..<count).count { _ in !dials.allow(mark, now: now) }
    }

    @Test func `dials that go back to their client are refused after many in a row without an answer, one at a time`() {
        var dials = ReturnedDials()
        #expect(Self.refusals(of: &dials, ReturnedDials.maxCount, at: 5) == 0)
        #expect(Self.refusals(of: &dials, 1, at: 6) == 1)
        #expect(Self.refusals(of: &dials, ReturnedDials.maxCount / 2, at: 7) == 0)
        #expect(Self.refusals(of: &dials, 1, at: 8) == 1)
        // An answer shows a server.
        dials.noteServer()
        #expect(Self.refusals(of: &dials, ReturnedDials.maxCount, at: 9) == 0)
        dials.noteServer()
        #expect(Self.refusals(of: &dials, ReturnedDials.maxCount, at: 10) == 0)
        // Slow enough, they do no harm.
        #expect(Self.refusals(of: &dials, ReturnedDials.maxCount, at: 11 + Self.period) == 0)
    }

    @Test func `chains of other bytes are counted apart, so that each of them ends`() {
        var dials = ReturnedDials()
        let (first, second) = (Self.mark([1]), Self.mark([2]))
        #expect(Self.refusals(of: &dials, ReturnedDials.maxCount, at: 1, mark: first) == 0)
        #expect(Self.refusals(of: &dials, ReturnedDials.maxCount, at: 1, mark: second) == 0)
        #expect(Self.refusals(of: &dials, 1, at: 2, mark: first) == 1)
        #expect(Self.refusals(of: &dials, 1, at: 2, mark: second) == 1)
    }

    @Test func `clients that send different bytes are no chain`() {
        var dials = ReturnedDials()
        let refused = (0..<500_000).count { number in
            let bytes = Array("<13>app: line \(number)".utf8)
            return !dials.allow(Self.mark(bytes), now: 1)
        }
        #expect(refused == 0)
    }

    @Test(arguments: [0, 1, 7, 8, 9, 31, 63, 64, 65, 1_472])
    func `a mark depends on the length and on each of the first bytes`(length: Int) {
        let bytes = [UInt8](repeating: 0x55, count: length)
        // By chance, one in 256 is equal.
        let longer = (1...64).count { more in
            Self.mark(bytes + [UInt8](repeating: 0, count: more)).index == Self.mark(bytes).index
        }
        #expect(longer < 8)
        for position in 0..<min(length, 64) {
            let equal = (1...64).count { change in
                var other = bytes
                other[position] ^= UInt8(change)
                return Self.mark(other).index == Self.mark(bytes).index
            }
            #expect(equal < 8, "byte \(position)")
        }
    }
}
