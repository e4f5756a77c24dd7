import Logging
import Threading

/// The last events of the process, for people: what the log says of routes, upstreams, certificates, containers and the
/// configuration, without its clients. Events of one kind on one route are one entry with their number, so that a dead
/// upstream does not push out all others. It is fed where lines of the log are made, whatever level these have; any
/// thread but a worker's.
final class EventRecorder: Sendable {
    /// An event, and how often it came.
    struct Event: Sendable, Equatable {
        var level: Logger.Level
        /// Empty where it concerns no single route.
        var route: String
        /// A sentence without its end: `Dial failed: 10.0.0.7:22`.
        var text: String
        /// The word of the log and of the metrics for the reason; empty where there is none.
        var reason: String
        /// More in words: the text of an error, the name of a certificate.
        var detail: String
        /// The first and the last time, in nanoseconds since 1970.
        var first: Int64
        var last: Int64
        var count: UInt64 = 1
    }

    private enum Key: Hashable {
        case record(route: UInt32, LogRateLimiter.Kind)
        case line(message: String, route: String, subject: String)
    }

    /// Entries that are kept.
    static let capacity = 64
    /// Bytes of a text that are kept, about.
    private static let maxTextLength = 300
    /// An event that was away for so long begins anew.
    private static let memory: Int64 = 3_600_000_000_000

    private let entries = Lock<[Key: Event]>([:])

    /// The newest events first, at most `limit`.
    func latest(_ limit: Int) -> [Event] {
        let all = entries.withLock { Array($0.values) }
        return Array(all.sorted { ($0.last, $0.text) > ($1.last, $1.text) }.prefix(limit))
    }

    // MARK: Sources

    /// Takes a record of a worker.
    func note(_ record: LogRecord, of route: LogRoute) {
        guard let kind = record.fact.repetition else { return }
        note(.record(route: record.route, kind), at: record.time) {
            let (reason, upstream, error) = record.fact.cause
            let name = upstream.flatMap { Int($0) < route.upstreams.count ? route.upstreams[Int($0)] : nil }
            return Event(
                level: record.fact.level, route: route.name,
                text: Self.sentence(LogLine.message(of: record.fact, isTCP: route.transport == "tcp"), name ?? ""),
                reason: reason, detail: Self.cut(error ?? ""), first: record.time, last: record.time)
        }
    }

    /// Takes a line of the control plane.
    func note(_ level: Logger.Level, _ message: String, _ fields: Logger.Metadata, at time: Int64) {
        guard level >= .info, level >= .warning || !Self.isCommonplace(fields) else { return }
        let route = fields["route"].map { "\($0)" } ?? ""
        let subject = Self.first(of: Self.subjects, in: fields)
        note(.line(message: message, route: route, subject: subject), at: time) {
            Event(
                level: level, route: route, text: Self.sentence(message, subject),
                reason: Self.first(of: ["reason", "cause"], in: fields),
                detail: Self.cut(Self.first(of: Self.details, in: fields)), first: time, last: time)
        }
    }

    private func note(_ key: Key, at time: Int64, _ make: () -> Event) {
        entries.withLock { entries in
            if var known = entries[key], time - known.last < Self.memory {
                known.count += 1
                known.last = max(known.last, time)
                // What a line says besides may be another each time: the last one counts.
                if case .line = key {
                    let new = make()
                    (known.reason, known.detail) = (new.reason, new.detail)
                }
                entries[key] = known
                return
            }
            if entries[key] == nil, entries.count >= Self.capacity,
                let oldest = entries.min(by: { $0.value.last < $1.value.last })
            {
                entries[oldest.key] = nil
            }
            entries[key] = make()
        }
    }

    // MARK: Words

    /// The fields that name what a line is of, and those that say more.
    private static let subjects = ["upstream", "certificate", "container", "engine", "program", "path"]
    private static let details = ["error", "check", "remark", "names", "changes"]

    /// A start has a line for each route, a reload one for each setting, and containers come and go.
    private static func isCommonplace(_ fields: Logger.Metadata) -> Bool {
        ["action", "setting", "container"].contains { fields[$0] != nil }
    }

    private static func first(of keys: [String], in fields: Logger.Metadata) -> String {
        for key in keys {
            if let value = fields[key] { return key == "changes" ? "changes: \(value)" : "\(value)" }
        }
        return ""
    }

    private static func sentence(_ message: String, _ subject: String) -> String {
        let text = message.prefix(1).uppercased() + message.dropFirst()
        return cut(subject.isEmpty ? text : "\(text): \(subject)")
    }

    private static func cut(_ text: String) -> String {
        text.utf8.count <= maxTextLength ? text : String(text.prefix(maxTextLength)) + "…"
    }
}

extension LogRecord.Fact {
    /// The reason in the word of the metrics, the index of the upstream, and the error: what there is of them.
    fileprivate var cause: (reason: String, upstream: Int32?, error: String?) {
        switch self {
        case .dialFailed(let upstream, let reason, let error): (reason.rawValue, upstream, error?.description)
        case .upstreamFailed(let upstream, let reason): (reason.rawValue, upstream, nil)
        case .resolveFailed(let upstream, let reason): (reason.rawValue, upstream, nil)
        case .acceptFailed(let reason, let error): (reason.rawValue, nil, error.description)
        case .headerFailed(let reason, _): (reason.rawValue, nil, nil)
        default: ("", nil, nil)
        }
    }
}
