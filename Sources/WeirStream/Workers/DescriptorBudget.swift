import LinuxIO
import Synchronization

/// The process's descriptors, shared out. Taken before a descriptor is opened and given back after it is closed, with
/// relaxed atomics, from every worker.
///
/// Of `RLIMIT_NOFILE`:
/// - the *reserve* (a sixteenth, 64 to 512) is never touched here: standard streams, the exporter, the resolver,
///   configuration files, a reload;
/// - *listeners* take what they need at start and reload, at most a quarter;
/// - the rest carries *traffic*: a TCP connection takes 2, a UDP session 1. UDP may use at most nine tenths of it, so
///   that a flood of sources cannot keep TCP out;
/// - *pipes* for bulk transfers (2 each) come out of the traffic's part, as long as an eighth of that is free.
final class DescriptorBudget: Sendable {
    private let traffic: Int
    private let datagrams: Int
    private let listeners: Int
    private let maxConnections: Int?
    private let used = Atomic<Int>(0)
    private let connections = Atomic<Int>(0)
    private let usedByDatagrams = Atomic<Int>(0)
    private let maxSessions = Atomic<Int>(.max)
    private let usedByListeners = Atomic<Int>(0)

    /// Shares out `limit` descriptors; `maxConnections` bounds TCP further.
    init(limit: Int, maxConnections: Int?) {
        self.maxConnections = maxConnections
        let reserve = min(max(limit / 16, 64), 512)
        traffic = max(limit - reserve, 4)
        datagrams = traffic / 10 * 9
        listeners = limit / 4
    }

    /// How many TCP connections the process may have, where no UDP session takes their place.
    var connectionLimit: Int {
        let fitting = (traffic - usedByListeners.load(ordering: .relaxed)) / 2
        return min(maxConnections ?? .max, fitting)
    }

    /// Acquires both descriptors of a TCP connection.
    func acquireConnection() -> Bool {
        if let maxConnections, connections.add(1, ordering: .relaxed).newValue > maxConnections {
            connections.subtract(1, ordering: .relaxed)
            return false
        }
        if acquire(2) { return true }
        if maxConnections != nil { connections.subtract(1, ordering: .relaxed) }
        return false
    }

    func releaseConnection() {
        if maxConnections != nil { connections.subtract(1, ordering: .relaxed) }
        used.subtract(2, ordering: .relaxed)
    }

    /// Bounds UDP further, from now on: what is open stays.
    func limitSessions(to limit: Int?) { maxSessions.store(limit ?? .max, ordering: .relaxed) }

    /// Acquires the descriptor of a UDP session.
    func acquireSession() -> Bool {
        let limit = min(datagrams, maxSessions.load(ordering: .relaxed))
        if usedByDatagrams.add(1, ordering: .relaxed).newValue > limit || !acquire(1) {
            usedByDatagrams.subtract(1, ordering: .relaxed)
            return false
        }
        return true
    }

    func releaseSession() {
        usedByDatagrams.subtract(1, ordering: .relaxed)
        used.subtract(1, ordering: .relaxed)
    }

    /// Whether little is left: what is only for speed must make room.
    var isTight: Bool { used.load(ordering: .relaxed) > traffic / 8 * 7 }

    /// Acquires both descriptors of a pipe, where there are plenty.
    func acquirePipe() -> Bool { !isTight && acquire(2) }

    func releasePipe() { used.subtract(2, ordering: .relaxed) }

    /// Acquires descriptors for listeners: `wanted` (one a worker) while that leaves enough, else one.
    func acquireListeners(wanted: Int) -> Int {
        let granted = usedByListeners.load(ordering: .relaxed) + wanted <= listeners ? wanted : 1
        usedByListeners.add(granted, ordering: .relaxed)
        used.add(granted, ordering: .relaxed)
        return granted
    }

    func releaseListeners(_ count: Int) {
        usedByListeners.subtract(count, ordering: .relaxed)
        used.subtract(count, ordering: .relaxed)
    }

    private func acquire(_ count: Int) -> Bool {
        if used.add(count, ordering: .relaxed).newValue > traffic {
            used.subtract(count, ordering: .relaxed)
            return false
        }
        return true
    }
}
