import TestSupport
import Testing
import WeirAccess

@Suite struct TokenBucketTests {
    /// How many of `attempts` at one moment find a token.
    private func taken(_ bucket: TokenBucket, _ state: inout UInt64, attempts: Int, at now: UInt64) -> Int {
        (0..<attempts).count { _ in
            guard let new = bucket.taking(from: state, at: now) else { return false }
            state = new
            return true
        }
    }

    @Test(arguments: [
        (1, 1), (10, 1), (10, 20), (7, 7), (3, 1000), (999_999, 999_999), (1_000_000, 1), (1_000_000, 1_000_000),
    ])
    func `a full bucket gives its burst, and then as many as come in the time`(count: Int, burst: Int) {
        let bucket = TokenBucket(count: count, period: second, burst: burst)
        var state: UInt64 = 0
        let start: UInt64 = 1_000_000 * second
        #expect(taken(bucket, &state, attempts: burst + 10, at: start) == burst)
        // One token, one interval later; none a nanosecond before.
        #expect(
            taken(bucket, &state, attempts: 1, at: start + bucket.intervalNanoseconds - 1)
                == (bucket.intervalNanoseconds == 1 ? 1 : 0))
        #expect(taken(bucket, &state, attempts: 2, at: start + bucket.intervalNanoseconds) == 1)
    }

    @Test func `over a long time as many pass as the rate says, whatever comes`() {
        let bucket = TokenBucket(count: 100, period: second, burst: 20)
        var generator = SeededGenerator(seed: 4)
        var state: UInt64 = 0
        var now: UInt64 = second
        var passed = 0
        while now < 101 * second {
            passed += taken(bucket, &state, attempts: Int.random(in: 0...9, using: &generator), at: now)
            now += UInt64.random(in: 0...20_000_000, using: &generator)
        }
        // 450 attempts a second come.
        #expect((9_990...10_020).contains(passed))
    }

    @Test func `a bucket that rested is full, not fuller`() {
        let bucket = TokenBucket(count: 5, period: 60 * second, burst: 5)
        var state: UInt64 = 0
        #expect(taken(bucket, &state, attempts: 9, at: 5) == 5)
        #expect(taken(bucket, &state, attempts: 9, at: 5 + 24 * second) == 2)
        #expect(taken(bucket, &state, attempts: 9, at: 86_400 * second) == 5)
    }

    @Test func `the greatest of all numbers refuses and does not trap`() {
        let bucket = TokenBucket(count: 1, period: .max, burst: .max)
        #expect(bucket.fillTimeNanoseconds == .max)
        #expect(bucket.taking(from: .max, at: .max) != nil)
        #expect(bucket.taking(from: .max, at: 1) == .max)
        let narrow = TokenBucket(count: 0, period: 0, burst: 0)
        #expect(narrow.intervalNanoseconds == 1 && narrow.fillTimeNanoseconds == 1)
        #expect(narrow.taking(from: .max, at: 0) == nil)
    }
}

@Suite struct ByteBucketTests {
    @Test(arguments: [1_000, 65_536, 1_000_000, 10_485_760, 1_250_000_000] as [UInt64])
    func `a reader that waits as long as it is told moves as many bytes as the rate says`(rate: UInt64) {
        let bucket = ByteBucket(bytesPerSecond: rate)
        var generator = SeededGenerator(seed: rate)
        var state: UInt64 = 0
        var now: UInt64 = 77
        var moved = 0
        let end = now + 60 * second
        while true {
            // A timer is never early, and up to a tick late.
            let wait = bucket.wait(state, at: now)
            now += wait == 0 ? 1_000 : wait + UInt64.random(in: 0...1_000_000, using: &generator)
            if now >= end { break }
            let piece = Int.random(in: 1...bucket.maxPiece, using: &generator)
            state = bucket.charging(piece, to: state, at: now)
            moved += piece
        }
        let expected = Double(rate) * 60
        #expect(abs(Double(moved) - expected) < expected * 0.01 + 2 * Double(bucket.burst))
    }

    @Test func `a burst is 50 ms worth of bytes, within bounds`() {
        #expect(ByteBucket(bytesPerSecond: 1_000_000).burst == 50_000)
        #expect(ByteBucket(bytesPerSecond: 1).burst == 4096)
        #expect(ByteBucket(bytesPerSecond: 1_000_000_000).burst == 50_000_000)
        #expect(ByteBucket(bytesPerSecond: 1_000_000_000).maxPiece == 1 << 20)
        #expect(ByteBucket(bytesPerSecond: .max).fillTimeNanoseconds <= 50_000_000)
        #expect(ByteBucket(bytesPerSecond: 0).bytesPerSecond == 1)
        #expect(ByteBucket(bytesPerSecond: 1_000_000).fillTimeNanoseconds == 50_000_000)
    }

    @Test func `the greatest of all numbers waits and does not trap`() {
        let bucket = ByteBucket(bytesPerSecond: 1)
        #expect(bucket.time(for: .max) == .max)
        #expect(bucket.time(for: -5) == 0)
        let state = bucket.charging(.max, to: 0, at: 3)
        #expect(state == .max)
        #expect(bucket.wait(state, at: 3) > second)
        #expect(bucket.wait(0, at: .max) == 0)
    }
}
