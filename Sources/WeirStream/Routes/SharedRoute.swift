import LinuxIO

/// What the workers of one route share.
final class SharedRoute: Sendable {
    /// The route's number in its engine.
    let number: UInt32
    let workers: [Worker]
    /// The connections or sessions that are open, over all listeners and workers.
    let count: RouteCount
    private let onWorkerFinished: @Sendable () -> Void
    private let onListenerFinished: @Sendable (Listener) -> Void

    init(
        number: UInt32, workers: [Worker], count: RouteCount, onWorkerFinished: @escaping @Sendable () -> Void,
        onListenerFinished: @escaping @Sendable (Listener) -> Void
    ) {
        self.number = number
        self.workers = workers
        self.count = count
        self.onWorkerFinished = onWorkerFinished
        self.onListenerFinished = onListenerFinished
    }

    /// A worker takes nothing new and carries nothing any more.
    func workerFinished() { onWorkerFinished() }

    /// A worker carries nothing any more that came by a listener which was removed.
    func workerFinished(_ listener: Listener) {
        if listener.workerFinished() { onListenerFinished(listener) }
    }
}
