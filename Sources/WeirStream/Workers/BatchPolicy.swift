/// Decides when a worker is scheduled as batch work (`SCHED_BATCH`, sched(7)).
///
/// A waking thread preempts the thread that produced its work. That gives the lowest latency at low load. At high load
/// it costs two context switches per event. Above a share of busy time the worker therefore uses `SCHED_BATCH`: it does
/// not preempt, and finds more work in one turn.
struct BatchPolicy {
    private(set) var isBatch = false
    private var busy: UInt64 = 0
    private var since: UInt64

    /// The length of one measurement.
    static let periodNanoseconds: UInt64 = 100_000_000
    /// The busy time, in percent, at which batch scheduling begins and ends. They differ, so that a steady load does
    /// not switch in every period.
    static let (begin, end): (UInt64, UInt64) = (25, 12)

    init(now: UInt64) {
        since = now
    }

    /// Records a turn. Returns whether to schedule as batch from now on; nil where nothing changes.
    mutating func note(busy nanoseconds: UInt64, now: UInt64) -> Bool? {
        busy += nanoseconds
        let elapsed = now - min(since, now)
        guard elapsed >= Self.periodNanoseconds else { return nil }
        let percent = busy * 100 / elapsed
        busy = 0
        since = now
        let wanted = isBatch ? percent >= Self.end : percent >= Self.begin
        guard wanted != isBatch else { return nil }
        isBatch = wanted
        return wanted
    }
}
