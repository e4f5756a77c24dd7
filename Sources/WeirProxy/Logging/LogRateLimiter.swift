/// Holds back lines that repeat: of each kind per route at most ``burst`` in ``windowNanoseconds``, and then one that
/// says how many were left out. Confined to the log's thread.
struct LogRateLimiter {
    /// The key of repetition within a route.
    struct Kind: Hashable {
        var fact: UInt8
        var reason: UInt8
        var upstream: UInt16 = 0
    }

    private struct Key: Hashable {
        let route: UInt32
        let kind: Kind
    }

    private struct Entry {
        var windowEnd: UInt64
        var written: Int
        var suppressed: UInt64
        var latest: LogRecord?
    }

    /// Lines of one kind that pass in one window.
    static let burst = 5
    /// Nanoseconds.
    static let windowNanoseconds: UInt64 = 10_000_000_000
    /// Kinds that are watched at once; beyond it new ones pass unlimited until windows end.
    static let maxKinds = 4096

    private var entries: [Key: Entry] = [:]
    /// The earliest end of a window, where a held-back line may have to be written; nil where nothing is watched.
    private(set) var nextDeadline: UInt64?

    /// The decision over a line.
    enum Decision: Equatable {
        case write(suppressed: UInt64)
        case holdBack
    }

    /// Decides over a line of `kind`. A held-back one is kept, so that the end of its window can tell of it.
    mutating func decide(_ record: LogRecord, kind: Kind, now: UInt64) -> Decision {
        let key = Key(route: record.route, kind: kind)
        guard var entry = entries[key] else {
            if entries.count < Self.maxKinds { open(key, now: now) }
            return .write(suppressed: 0)
        }
        if now >= entry.windowEnd {
            let suppressed = entry.suppressed
            open(key, now: now)
            return .write(suppressed: suppressed)
        }
        if entry.written < Self.burst {
            entry.written += 1
            entries[key] = entry
            return .write(suppressed: 0)
        }
        entry.suppressed += 1
        entry.latest = record
        entries[key] = entry
        return .holdBack
    }

    /// Ends windows that are over; hands out the latest held-back record of each with the number of those before it.
    mutating func expire(now: UInt64, write: (LogRecord, UInt64) -> Void) {
        guard let deadline = nextDeadline, now >= deadline else { return }
        for (key, entry) in entries where now >= entry.windowEnd {
            entries[key] = nil
            if let latest = entry.latest { write(latest, entry.suppressed - 1) }
        }
        nextDeadline = entries.values.map(\.windowEnd).min()
    }

    /// Ends the windows of routes that are gone; hands out what was held back, as ``expire(now:write:)`` does.
    mutating func forget(_ routes: Set<UInt32>, write: (LogRecord, UInt64) -> Void) {
        for (key, entry) in entries where routes.contains(key.route) {
            entries[key] = nil
            if let latest = entry.latest { write(latest, entry.suppressed - 1) }
        }
        nextDeadline = entries.values.map(\.windowEnd).min()
    }

    private mutating func open(_ key: Key, now: UInt64) {
        let end = now + Self.windowNanoseconds
        entries[key] = Entry(windowEnd: end, written: 1, suppressed: 0, latest: nil)
        nextDeadline = min(nextDeadline ?? end, end)
    }
}
