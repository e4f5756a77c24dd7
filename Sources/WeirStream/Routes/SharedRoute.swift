import LinuxIO

/// The state that the workers of one route share.
final class SharedRoute: Sendable {
    /// The route's number in its engine.
    let number: UInt32
    let workers: [Worker]
    /// The number of open connections or sessions over all listeners and workers.
    let count: RouteCount
    /// Whether the upstreams answer: for UDP.
    let answers = AnswerHistory()
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

    /// Tells the other workers which address of an upstream's name answers. Called when that changes, not for each
    /// answer.
    func share(answering address: SocketAddress, of upstream: Int, generation: Int, from worker: Int) {
        let number = number
        for other in workers where other.index != worker {
            Task { await other.noteAnswer(of: address, route: number, generation: generation, upstream: upstream) }
        }
    }

    /// A worker has ended its part of the route.
    func workerFinished() { onWorkerFinished() }

    /// A worker has no client of a removed listener any more.
    func workerFinished(_ listener: Listener) {
        if listener.workerFinished() { onListenerFinished(listener) }
    }
}
