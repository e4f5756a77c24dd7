import Synchronization

/// The load of a worker, for the other workers and the control plane. Relaxed loads suffice: a decision may use a value
/// that is one connection old.
final class WorkerLoad: Sendable {
    /// The worker's connections, including those in its ``handoffs``.
    let connections = Atomic<Int>(0)
    /// The monotonic time of its last turn, in nanoseconds.
    let lastTurn = Atomic<UInt64>(0)
    /// Connections that other workers accepted for this one.
    let handoffs = HandoffQueue()
}
