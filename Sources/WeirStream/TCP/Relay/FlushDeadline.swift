/// The time limit for the delivery of the remaining bytes to an endpoint before its reset. A class, because few
/// connections need it. Times are nanoseconds of the loop's clock.
final class FlushDeadline {
    enum Verdict: Equatable {
        case checkAgain(afterNanoseconds: UInt64)
        case isOver
    }

    /// The close reason of the connection after the delivery or the timeout.
    let reason: ConnectionCloseReason
    private let beganAt: UInt64
    private var startedAt: UInt64
    private var lastProgress: UInt64
    private var lastCheck: UInt64
    private var owedByteCount = Int.max
    private var nextDelayNanoseconds: UInt64

    /// The time limit without progress.
    static let maxStallNanoseconds: UInt64 = 5_000_000_000
    /// The time limit with progress.
    static let maxNanoseconds: UInt64 = 30_000_000_000
    /// The time limit while a hook throttles the remaining bytes: the connection must not occupy its limits for longer.
    static let maxThrottledNanoseconds: UInt64 = 500_000_000
    /// The delay of the first check. No event reports that a peer has acknowledged all bytes, so the owner polls; the
    /// delay doubles with each check.
    static let firstDelayNanoseconds: UInt64 = 1_000_000
    static let maxDelayNanoseconds: UInt64 = 100_000_000

    init(reason: ConnectionCloseReason, now: UInt64) {
        self.reason = reason
        beganAt = now
        startedAt = now
        lastProgress = now
        lastCheck = now
        nextDelayNanoseconds = min(Self.firstDelayNanoseconds * 2, Self.maxDelayNanoseconds)
    }

    /// Judges the progress since the last check. A pause does not count as a stall, because the peer does not cause it;
    /// a throttle has its own limit.
    func check(
        now: UInt64, owedByteCount owed: Int, lastActivity: UInt64, isPaused: Bool, isThrottled: Bool = false
    ) -> Verdict {
        if isThrottled, now - beganAt >= Self.maxThrottledNanoseconds { return .isOver }
        if isPaused {
            startedAt += now - lastCheck
            lastProgress = now
        }
        lastCheck = now
        // While more bytes are read for it, the owed bytes do not decrease: bytes that moved are progress, too.
        if owed < owedByteCount || lastActivity > lastProgress {
            owedByteCount = min(owed, owedByteCount)
            lastProgress = now
        }
        if now - lastProgress > Self.maxStallNanoseconds || now - startedAt > Self.maxNanoseconds { return .isOver }
        defer { nextDelayNanoseconds = min(nextDelayNanoseconds * 2, Self.maxDelayNanoseconds) }
        return .checkAgain(afterNanoseconds: nextDelayNanoseconds)
    }
}
