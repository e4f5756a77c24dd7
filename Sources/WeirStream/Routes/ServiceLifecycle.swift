import LinuxIO
import Threading

/// The phases of a route or a shared listener, from its one start to its end, and the tasks that wait for the end. Safe
/// from any thread. The comments say *route* for both.
final class ServiceLifecycle: Sendable {
    enum Phase: Sendable {
        case created, starting, serving, closing, closed
    }

    private struct State {
        var phase = Phase.created
        /// Whether close or kill was called, also before the start or during it.
        var isEndRequested = false
        var hasServed = false
        var busyWorkers = 0
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Lock(State())

    var phase: Phase { state.withLock { $0.phase } }

    /// Whether close or kill was called since the route was created or reopened.
    var isEndRequested: Bool { state.withLock { $0.isEndRequested } }

    /// Records a close or a kill before its turn: a start in progress ends when it sees the request.
    func requestEnd() {
        state.withLock { $0.isEndRequested = true }
    }

    /// Begins the one start of a route.
    /// - Throws: ``StreamError/closed`` where close or kill was called before, ``StreamError/alreadyStarted``.
    func start() throws(StreamError) {
        let result = state.withLock { state -> Result<Void, StreamError> in
            guard !state.hasServed, state.phase != .starting else { return .failure(.alreadyStarted) }
            guard state.phase == .created, !state.isEndRequested else { return .failure(.closed) }
            state.phase = .starting
            return .success(())
        }
        try result.get()
    }

    /// Checks whether a start may continue.
    /// - Throws: ``StreamError/closed`` where close or kill was called.
    func checkEndRequest() throws(StreamError) {
        if isEndRequested { throw .closed }
    }

    /// Ends the start: the route serves on `workers` workers.
    func started(workers: Int) {
        state.withLock { state in
            state.phase = .serving
            state.hasServed = true
            state.busyWorkers = workers
        }
    }

    /// Ends a failed start. It may be repeated, unless close or kill was called.
    func startFailed() {
        leave(to: .created)
    }

    /// Closes a route that never served. Returns false where it serves or served.
    func closeUnserved() -> Bool {
        let isUnserved = state.withLock { $0.phase == .created }
        if isUnserved { leave(to: .closed) }
        return isUnserved
    }

    /// Begins the close. Returns true for the first caller only.
    func beginClosing() -> Bool {
        state.withLock { state in
            guard state.phase == .serving else { return false }
            state.phase = .closing
            state.isEndRequested = true
            return true
        }
    }

    /// A worker has ended its part of the route. Returns whether it was the last worker.
    func workerFinished() -> Bool {
        state.withLock { state in
            // The worker does not know yet that the route serves again.
            guard state.phase == .closing else { return false }
            state.busyWorkers -= 1
            return state.busyWorkers == 0
        }
    }

    /// Cancels a close: the route serves again on `workers` workers. Returns false where it has already ended.
    func reopen(workers: Int) -> Bool {
        state.withLock { state in
            guard state.phase == .closing, state.busyWorkers > 0 else { return false }
            state.phase = .serving
            state.isEndRequested = false
            state.busyWorkers = workers
            return true
        }
    }

    /// Ends the close: every resource is released.
    func closed() {
        leave(to: .closed)
    }

    private func leave(to phase: Phase) {
        let waiters = state.withLock { state in
            state.phase = phase
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Waits for ``closed()``, or for the failure of a start. A route that never served counts as closed.
    func waitUntilClosed() async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if state.phase == .closed || state.phase == .created { return true }
                state.waiters.append(continuation)
                return false
            }
            if isOver { continuation.resume() }
        }
    }
}
