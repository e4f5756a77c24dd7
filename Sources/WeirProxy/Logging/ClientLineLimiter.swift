import NetworkTypes
import WeirAccess

/// Bounds the lines about clients in the access log: the first line of a client passes, and what repeats within
/// ``windowNanoseconds`` is one line at the end that says how many there were. Programs that ban clients by the log see
/// each client at once, and a flood of forged sources does not fill a disk: over all clients at most
/// ``maxLinesPerSecond`` pass, and the others are counted. Confined to the log's thread.
struct ClientLineLimiter {
    private struct Key: Hashable {
        let route: UInt32
        let client: IPAddress
        let action: AccessAction
    }

    private struct Entry {
        let windowEnd: UInt64
        var suppressed: UInt64 = 0
        var latest: LogRecord?
    }

    /// The decision over a line.
    enum Decision: Equatable {
        case write
        /// The end of the window tells of it.
        case holdBack
        /// Over the bound of all clients: the caller counts it.
        case drop
    }

    /// Nanoseconds.
    static let windowNanoseconds: UInt64 = 10_000_000_000
    /// Lines of all clients, those of ends of windows included.
    static let maxLinesPerSecond = 1_000
    private static let second: UInt64 = 1_000_000_000

    private var entries: [Key: Entry] = [:]
    /// Keys in the order in which their windows end. A client enters with a line that passes, so there are never more
    /// than lines of one window.
    private var order: [Key] = []
    private var first = 0
    private var secondEnd: UInt64 = 0
    private var linesInSecond = 0

    /// The number of clients that are remembered.
    var count: Int { entries.count }

    /// Asks for a line of a client. A line that is held back is kept, so that the end of its window can tell of it.
    mutating func admit(_ record: LogRecord, client: IPAddress, action: AccessAction, now: UInt64) -> Decision {
        let key = Key(route: record.route, client: client, action: action)
        if var entry = entries[key] {
            entry.suppressed += 1
            entry.latest = record
            entries[key] = entry
            return .holdBack
        }
        guard takeLine(now: now) else { return .drop }
        entries[key] = Entry(windowEnd: now + Self.windowNanoseconds)
        order.append(key)
        return .write
    }

    /// Ends windows that are over, as far as the bound allows; hands out the latest line that was held back in each,
    /// with the number of those before it.
    mutating func expire(now: UInt64, write: (LogRecord, UInt64) -> Void) {
        while first < order.count, let entry = entries[order[first]], entry.windowEnd <= now {
            if let latest = entry.latest {
                guard takeLine(now: now) else { break }
                write(latest, entry.suppressed - 1)
            }
            entries[order[first]] = nil
            first += 1
        }
        compact()
    }

    /// Ends all windows at once, whatever the bound: the log ends.
    mutating func end(write: (LogRecord, UInt64) -> Void) {
        endAll({ _ in true }, write)
    }

    /// Ends the windows of routes that are gone, whatever the bound.
    mutating func forget(_ routes: Set<UInt32>, write: (LogRecord, UInt64) -> Void) {
        endAll({ routes.contains($0.route) }, write)
    }

    private mutating func endAll(_ isEnding: (Key) -> Bool, _ write: (LogRecord, UInt64) -> Void) {
        var kept: [Key] = []
        for key in order[first...] {
            guard isEnding(key) else {
                kept.append(key)
                continue
            }
            if let entry = entries.removeValue(forKey: key), let latest = entry.latest {
                write(latest, entry.suppressed - 1)
            }
        }
        order = kept
        first = 0
    }

    /// The time of the next end of a window that may be written; nil where no client is remembered.
    var nextDeadline: UInt64? {
        guard first < order.count, let entry = entries[order[first]] else { return nil }
        return linesInSecond < Self.maxLinesPerSecond ? entry.windowEnd : max(entry.windowEnd, secondEnd)
    }

    private mutating func takeLine(now: UInt64) -> Bool {
        if now >= secondEnd {
            secondEnd = now + Self.second
            linesInSecond = 0
        }
        guard linesInSecond < Self.maxLinesPerSecond else { return false }
        linesInSecond += 1
        return true
    }

    /// Gives the memory of ended windows back, seldom enough to cost nothing.
    private mutating func compact() {
        guard first > 64, first * 2 > order.count else { return }
        order.removeFirst(first)
        first = 0
    }
}
