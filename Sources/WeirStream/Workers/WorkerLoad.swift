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
