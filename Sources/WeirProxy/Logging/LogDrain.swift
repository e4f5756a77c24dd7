import Logging

/// The consumer's half of the log: empties the queues and makes lines of records. Confined to the log's thread.
struct LogDrain {
    private var limiter = LogRateLimiter()
    private var clients = ClientLineLimiter()
    private var dropped: UInt64 = 0
    private var routes: [UInt32: LogRoute] = [:]
    /// Lines that are ready to be written.
    private(set) var bytes: [UInt8] = []
    /// How many lines those are.
    private(set) var lines: UInt64 = 0

    /// Takes over the current routes.
    mutating func setRoutes(_ routes: [UInt32: LogRoute]) {
        self.routes = routes
    }

    /// Makes a line of a record, unless its kind repeats too often.
    mutating func add(_ record: LogRecord, format: LogFormat, now: UInt64) {
        if case .decided(let decision) = record.fact, let client = record.client {
            switch clients.admit(record, client: client.ip, action: decision.action, now: now) {
            case .holdBack: return
            case .drop:
                dropped += 1
                return
            case .write: return write(record, format: format, suppressed: 0)
            }
        }
        var suppressed: UInt64 = 0
        if let kind = record.fact.repetition {
            switch limiter.decide(record, kind: kind, now: now) {
            case .holdBack: return
            case .write(let count): suppressed = count
            }
        }
        write(record, format: format, suppressed: suppressed)
    }

    /// Adds a line that is made already.
    mutating func add(line: [UInt8]) {
        bytes += line
        lines += 1
    }

    /// Tells of what was held back in windows that are over; at the end of the log (`now` is the greatest number) in
    /// all.
    mutating func expire(format: LogFormat, now: UInt64) {
        var ended: [(record: LogRecord, suppressed: UInt64)] = []
        limiter.expire(now: now) { ended.append(($0, $1)) }
        if now == .max {
            clients.end { ended.append(($0, $1)) }
        } else {
            clients.expire(now: now) { ended.append(($0, $1)) }
        }
        for item in ended { write(item.record, format: format, suppressed: item.suppressed) }
    }

    /// When the next window ends.
    var nextDeadline: UInt64? {
        guard let kind = limiter.nextDeadline else { return clients.nextDeadline }
        return min(kind, clients.nextDeadline ?? kind)
    }

    /// Tells of what was held back for routes that are gone, before their names are.
    mutating func forget(_ routes: [UInt32], format: LogFormat) {
        if routes.isEmpty { return }
        let gone = Set(routes)
        var ended: [(record: LogRecord, suppressed: UInt64)] = []
        limiter.forget(gone) { ended.append(($0, $1)) }
        clients.forget(gone) { ended.append(($0, $1)) }
        for item in ended { write(item.record, format: format, suppressed: item.suppressed) }
    }

    /// Returns the number of lines over the bound of all clients since the last call.
    mutating func takeDropped() -> UInt64 {
        defer { dropped = 0 }
        return dropped
    }

    /// The lines were written, or given up.
    mutating func removeWritten() {
        bytes.removeAll(keepingCapacity: true)
        lines = 0
    }

    private mutating func write(_ record: LogRecord, format: LogFormat, suppressed: UInt64) {
        guard let route = routes[record.route] else { return }
        bytes += LogLine.bytes(of: record, route: route, format: format, suppressed: suppressed)
        lines += 1
    }
}
