import Threading

/// How often a member is checked, how long a check may take, and how many results change the member's state.
public struct CheckSchedule: Hashable, Sendable {
    /// The time from the start of a check to that of the next one.
    public var interval: Duration
    /// The same while a result speaks against the state; never more than ``interval``.
    public var doubtInterval: Duration
    /// How long a check may take, connection and answer together.
    public var timeout: Duration
    /// How many failures in a row take the member down.
    public var fall: Int
    /// How many successes in a row bring it up.
    public var rise: Int

    /// The times and counts; the defaults are those of the documentation.
    public init(
        interval: Duration = .seconds(5), doubtInterval: Duration = .seconds(1), timeout: Duration = .seconds(2),
        fall: Int = 3, rise: Int = 2
    ) {
        self.interval = interval
        self.doubtInterval = doubtInterval
        self.timeout = timeout
        self.fall = fall
        self.rise = rise
    }

    /// The first check comes within this time, so that a start or a reload soon knows.
    private static let maxFirstDelay: UInt64 = 1_000_000_000
    private static let minGap: UInt64 = 1_000_000

    /// Nanoseconds from the addition of the member to its first check.
    func firstDelay(_ spread: inout CheckSpread) -> UInt64 {
        spread.next(below: min(interval.clampedNanoseconds, Self.maxFirstDelay))
    }

    /// Nanoseconds from the start of a check to that of the next one: the interval, or up to a sixteenth less, so that
    /// neither two members nor two instances of this program stay in step.
    func gap(isInDoubt: Bool, _ spread: inout CheckSpread) -> UInt64 {
        let usual = interval.clampedNanoseconds
        let gap = max(isInDoubt ? min(usual, doubtInterval.clampedNanoseconds) : usual, Self.minGap)
        return gap - spread.next(below: gap / 16)
    }
}
