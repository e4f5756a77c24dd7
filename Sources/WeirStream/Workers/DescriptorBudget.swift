import LinuxIO
import Synchronization

/// The budget of the process's descriptors. An owner takes its share before it opens a descriptor, and releases it
/// after the close. Relaxed atomics, from every worker.
///
/// It divides `RLIMIT_NOFILE` (getrlimit(2)):
/// - the *reserve*, a sixteenth (64 to 512), is for the rest of the process: standard streams, the exporter, the
///   resolver, configuration files, a reload;
/// - *listeners* take up to a quarter, at start and at a reload;
/// - the rest is for *traffic*: a TCP connection takes 2, a UDP session 1. UDP may use at most nine tenths of it, so
///   that a flood of sources cannot block TCP;
/// - UDP may use no more than the local ports of the system (``LocalPorts``), because each session has one; a sixteenth
///   of these, 512 at most, is left to others, such as look-ups of names;
/// - *pipes* for bulk transfers take 2 each from the traffic's part, while an eighth of that is free.
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

    /// The smallest reserve.
    static let minReserve = 64

    /// The reserve of a limit. An event loop has an epoll(7) and an eventfd(2), and a worker may hold a file besides.
    static func reserve(of limit: Int, workers: Int) -> Int {
        max(min(max(limit / 16, minReserve), 512), 32 + 3 * workers)
    }

    /// Divides `limit` descriptors; `maxConnections` is a further bound on TCP, and `localPorts` on UDP.
    init(limit: Int, workers: Int = 1, maxConnections: Int?, localPorts: Int? = nil) {
        self.maxConnections = maxConnections
        traffic = max(limit - Self.reserve(of: limit, workers: workers), 4)
        let ports = localPorts.map { max($0 - min(max($0 / 16, 1), 512), 1) }
        datagrams = min(traffic / 10 * 9, ports ?? .max)
        listeners = limit / 4
    }

    /// The limit of TCP connections while no UDP session is open.
    var connectionLimit: Int {
        let fitting = (traffic - usedByListeners.load(ordering: .relaxed)) / 2
        return min(maxConnections ?? .max, fitting)
    }

    /// Acquires both descriptors of a TCP connection. Returns false where a limit is reached.
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

    /// Sets a further bound on UDP sessions. Open sessions continue.
    func limitSessions(to limit: Int?) { maxSessions.store(limit ?? .max, ordering: .relaxed) }

    /// Acquires the descriptor of a UDP session. Returns false where a limit is reached.
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

    /// Whether less than an eighth of the traffic's descriptors is left. Pipes, which only save time, are then closed.
    var isTight: Bool { used.load(ordering: .relaxed) > traffic / 8 * 7 }

    /// Acquires both descriptors of a pipe, unless the budget is tight.
    func acquirePipe() -> Bool { !isTight && acquire(2) }

    func releasePipe() { used.subtract(2, ordering: .relaxed) }

    /// Returns the number of sockets for each of several listeners of a route: one per worker, or one where all of them
    /// together would exceed the listeners' part.
    func socketsPerListener(of count: Int, workers: Int) -> Int {
        usedByListeners.load(ordering: .relaxed) + count * workers <= listeners ? workers : 1
    }

    /// Acquires descriptors for a listener: `wanted` (one per worker), or one where the listeners' part is used up.
    /// Returns their number.
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
