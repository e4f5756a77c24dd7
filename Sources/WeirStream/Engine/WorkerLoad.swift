import Synchronization

/// What a worker lets the others, and the control plane, see of itself. Relaxed: a decision that is a connection late
/// does no harm.
final class WorkerLoad: Sendable {
    /// Connections it carries, those handed over but not yet taken included.
    let connections = Atomic<Int>(0)
    /// The monotonic time of its last turn, in nanoseconds.
    let lastTurn = Atomic<UInt64>(0)
    /// Connections that others accepted for it.
    let handoffs = HandoffQueue()
}

/// How many connections or sessions a stream has, over all workers.
final class StreamCount: Sendable {
    private let open = Atomic<Int>(0)

    var value: Int { open.load(ordering: .relaxed) }

    /// Counts one more unless `limit` is reached. Exact: two workers cannot both take the last place.
    func enter(limit: Int?) -> Bool {
        if let limit, open.add(1, ordering: .relaxed).newValue > limit {
            open.subtract(1, ordering: .relaxed)
            return false
        }
        if limit == nil { open.add(1, ordering: .relaxed) }
        return true
    }

    func leave() { open.subtract(1, ordering: .relaxed) }
}
