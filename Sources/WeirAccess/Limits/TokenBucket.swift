/// So many events in a time, and so many at once: a token bucket, as the generic cell rate algorithm keeps it
/// (ITU-T I.371, annex A).
///
/// The state is one time, in nanoseconds of a clock that never runs back: when the bucket will be full again. A full
/// bucket is any time that has passed, so also zero. Pure arithmetic; who keeps the state, and how, is not its concern.
public struct TokenBucket: Hashable, Sendable {
    /// Nanoseconds in which one token comes.
    public let intervalNanoseconds: UInt64
    /// Nanoseconds in which an empty bucket fills.
    public let fillTimeNanoseconds: UInt64

    /// A bucket of `burst` tokens, into which `count` come every `period` nanoseconds. All are taken as 1 where they
    /// are less; a token comes at most every nanosecond.
    public init(count: Int, period: UInt64, burst: Int) {
        intervalNanoseconds = max(1, period / UInt64(max(1, count)))
        fillTimeNanoseconds = intervalNanoseconds.clampedMultiplying(by: UInt64(max(1, burst)))
    }

    /// Takes one token at `now`. The new state, or nil where there is none left.
    public func taking(from fullAt: UInt64, at now: UInt64) -> UInt64? {
        let then = max(fullAt, now).clampedAdding(intervalNanoseconds)
        return then - now <= fillTimeNanoseconds ? then : nil
    }
}

/// So many bytes a second: a token bucket that may go into debt by one piece. A read is asked for before it happens:
/// where the debt is too large it waits, and where it is not, its bytes are charged.
///
/// The state is one time, as in ``TokenBucket``.
public struct ByteBucket: Hashable, Sendable {
    /// Bytes that come every second.
    public let bytesPerSecond: UInt64
    /// Bytes that may pass at once.
    public let burst: Int
    /// The most that should be read at once: no more than a burst, nor than a splice moves.
    public var maxPiece: Int { min(burst, Self.maxSplice) }
    /// The bytes that one of several that wait gets in its turn: those of a millisecond, so that a turn of all is
    /// short.
    public var sharedPiece: Int {
        min(Self.maxShare, max(Self.minShare, Int(bytesPerSecond / Self.sharesPerSecond)))
    }
    /// Nanoseconds in which `burst` bytes come.
    public let fillTimeNanoseconds: UInt64

    private static let second: UInt64 = 1_000_000_000
    /// The bytes of 50 ms may pass at once: long beside the millisecond of a timer, short beside what people notice.
    private static let burstsPerSecond: UInt64 = 20
    /// A piece that is worth a system call.
    static let minBurst = 4096
    private static let maxSplice = 1 << 20
    /// The tick of a timer is a millisecond, too.
    private static let sharesPerSecond: UInt64 = 1000
    private static let minShare = 512
    private static let maxShare = 64 << 10
    private static let maxRate = UInt64(Int.max)

    /// A bucket for that rate, at least one byte a second.
    public init(bytesPerSecond: UInt64) {
        let rate = min(max(1, bytesPerSecond), Self.maxRate)
        self.bytesPerSecond = rate
        let size = max(rate / Self.burstsPerSecond, UInt64(Self.minBurst))
        burst = Int(size)
        fillTimeNanoseconds = Self.time(for: size, at: rate)
    }

    /// How long so many bytes take, in nanoseconds.
    public func time(for bytes: Int) -> UInt64 {
        Self.time(for: UInt64(max(0, bytes)), at: bytesPerSecond)
    }

    /// The state after `bytes` have passed at `now`.
    public func charging(_ bytes: Int, to fullAt: UInt64, at now: UInt64) -> UInt64 {
        max(fullAt, now).clampedAdding(time(for: bytes))
    }

    /// How long the next byte has to wait, in nanoseconds.
    public func wait(_ fullAt: UInt64, at now: UInt64) -> UInt64 {
        let debt = fullAt - min(fullAt, now)
        return debt - min(debt, fillTimeNanoseconds)
    }

    /// How many bytes may pass at `now` without a wait: a shared piece at least, as soon as there is room for one byte;
    /// nil where there is none.
    public func available(_ fullAt: UInt64, at now: UInt64) -> Int? {
        let debt = fullAt - min(fullAt, now)
        guard debt <= fillTimeNanoseconds else { return nil }
        let product = bytesPerSecond.multipliedFullWidth(by: fillTimeNanoseconds - debt)
        // No more than a burst, because the time is no more than that of one.
        let room = Self.second.dividingFullWidth(product).quotient
        return min(max(Int(room), sharedPiece), maxPiece)
    }

    /// In 128 bits: a gigabyte times a second is more than 64 hold.
    private static func time(for bytes: UInt64, at rate: UInt64) -> UInt64 {
        let product = bytes.multipliedFullWidth(by: second)
        guard product.high < rate else { return .max }
        return rate.dividingFullWidth(product).quotient
    }
}

extension UInt64 {
    /// Sums and products that are greater than 64 bits hold are the greatest that they do.
    fileprivate func clampedAdding(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }

    fileprivate func clampedMultiplying(by other: UInt64) -> UInt64 {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        return overflow ? .max : product
    }
}
