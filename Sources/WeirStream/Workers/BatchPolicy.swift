/// When a worker should be scheduled as batch work.
///
/// A worker that wakes up takes the processor from whoever has just given it something to do: best while it has little
/// to do, because nobody waits. Under load it then does one small thing at a time, and each costs two switches of
/// context. So above a share of busy time it lets others finish first, and finds more to do in one turn.
struct BatchPolicy {
    private(set) var isBatch = false
    private var busy: UInt64 = 0
    private var since: UInt64

    /// Looks at the load this often, in nanoseconds.
    static let period: UInt64 = 100_000_000
    /// Percent of the time that begin and end it; apart, so that a steady load does not switch to and fro.
    static let (begin, end): (UInt64, UInt64) = (25, 12)

    init(now: UInt64) {
        since = now
    }

    /// Notes a turn. Returns what should change, if anything.
    mutating func note(busy nanoseconds: UInt64, now: UInt64) -> Bool? {
        busy += nanoseconds
        let elapsed = now - min(since, now)
        guard elapsed >= Self.period else { return nil }
        let percent = busy * 100 / elapsed
        busy = 0
        since = now
        let wanted = isBatch ? percent >= Self.end : percent >= Self.begin
        guard wanted != isBatch else { return nil }
        isBatch = wanted
        return wanted
    }
}
