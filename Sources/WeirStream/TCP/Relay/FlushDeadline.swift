/// How long an endpoint that is to be reset may still take what it is owed. An object of its own: few connections ever
/// need it. Times are nanoseconds of the loop's clock.
final class FlushDeadline {
    enum Verdict: Equatable {
        case checkAgain(afterNanoseconds: UInt64)
        case isOver
    }

    /// Why the connection ends, once the rest is delivered or the time is over.
    let reason: ConnectionCloseReason
    private let beganAt: UInt64
    private var startedAt: UInt64
    private var lastProgress: UInt64
    private var lastCheck: UInt64
    private var owedByteCount = Int.max
    private var nextDelay: UInt64

    /// Without any progress, flushing ends after this.
    static let maxStallNanoseconds: UInt64 = 5_000_000_000
    /// However much progress there is, it ends after this.
    static let maxNanoseconds: UInt64 = 30_000_000_000
    /// While a limit of ours holds back what is left, it ends after this: the peer that is gone gets its place back.
    static let maxThrottledNanoseconds: UInt64 = 500_000_000
    /// The kernel does not say when a peer has acknowledged all, so it is asked again and again: at first after this, then
    /// after twice as long each time.
    static let firstDelay: UInt64 = 1_000_000
    static let maxDelay: UInt64 = 100_000_000

    init(reason: ConnectionCloseReason, now: UInt64) {
        self.reason = reason
        beganAt = now
        startedAt = now
        lastProgress = now
        lastCheck = now
        nextDelay = min(Self.firstDelay * 2, Self.maxDelay)
    }

    /// Judges the progress since the last check. Time under a pause of ours does not count: that is no fault of a peer's.
    /// But a limit does not hold up the end for long.
    func check(
        now: UInt64, owedByteCount owed: Int, lastActivity: UInt64, isPaused: Bool, isThrottled: Bool = false
    ) -> Verdict {
        if isThrottled, now - beganAt >= Self.maxThrottledNanoseconds { return .isOver }
        if isPaused {
            startedAt += now - lastCheck
            lastProgress = now
        }
        lastCheck = now
        // While more is read for it, what it is owed does not fall: bytes that moved are progress, too.
        if owed < owedByteCount || lastActivity > lastProgress {
            owedByteCount = min(owed, owedByteCount)
            lastProgress = now
        }
        if now - lastProgress > Self.maxStallNanoseconds || now - startedAt > Self.maxNanoseconds { return .isOver }
        defer { nextDelay = min(nextDelay * 2, Self.maxDelay) }
        return .checkAgain(afterNanoseconds: nextDelay)
    }
}
