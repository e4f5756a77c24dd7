import Testing

@testable import WeirProxy

/// Keeps the state, so that expectations can change it.
private final class Files {
    private var rest: FileRest<Int>

    init(_ stamps: [String: Int]) { rest = FileRest(stamps, now: 0) }

    var isWaiting: Bool { rest.isWaiting }

    func note(_ stamps: [String: Int], isReported: Bool = false, now: UInt64) -> Bool {
        rest.note(stamps, isReported: isReported, now: now)
    }
}

struct FileRestTests {
    private static let second: UInt64 = 1_000_000_000

    @Test("A file is taken two seconds after it was last changed, however long it was changed before")
    func rests() {
        let rest = Files(["list": 0])
        // What was there at the beginning is compared once, too.
        #expect(rest.isWaiting)
        #expect(!rest.note(["list": 0], now: Self.second))
        #expect(rest.note(["list": 0], now: 2 * Self.second))
        #expect(!rest.isWaiting)
        #expect(!rest.note(["list": 0], now: 100 * Self.second))
        var now = 100 * Self.second
        for size in 1...100 {
            now += Self.second * 19 / 10
            #expect(!rest.note(["list": size], isReported: true, now: now))
        }
        #expect(!rest.note(["list": 100], now: now + Self.second))
        #expect(rest.note(["list": 100], now: now + 2 * Self.second))
        #expect(!rest.note(["list": 100], now: now + 9 * Self.second))
    }

    @Test("All files rest together, and one that is named or goes is a change")
    func together() {
        let rest = Files(["a": 0, "b": 0])
        #expect(rest.note(["a": 0, "b": 0], now: 2 * Self.second))
        #expect(!rest.note(["a": 1, "b": 0], now: 10 * Self.second))
        #expect(!rest.note(["a": 1, "b": 1], now: 11 * Self.second))
        #expect(!rest.note(["a": 1, "b": 1, "c": 0], now: 12 * Self.second))
        #expect(!rest.note(["a": 1, "c": 0], now: 13 * Self.second))
        #expect(!rest.note(["a": 1, "c": 0], now: 14 * Self.second))
        #expect(rest.note(["a": 1, "c": 0], now: 15 * Self.second))
    }

    @Test("What happens beside the files is a reason to look, and never one to go on waiting")
    func reports() {
        let rest = Files(["a": 0])
        #expect(rest.note(["a": 0], isReported: true, now: 2 * Self.second))
        var taken = 0
        for tenth in UInt64(21)...60 where rest.note(["a": 0], isReported: true, now: tenth * Self.second / 10) {
            taken += 1
        }
        #expect(taken == 1)
    }
}
