import LinuxIO
import Threading

/// The life of a route or a shared listener, from its one start to its end, and those who wait for the end. What it says
/// of a route holds for both.
final class ServiceLifecycle: Sendable {
    enum Phase: Sendable {
        case created, starting, serving, closing, closed
    }

    private struct State {
        var phase = Phase.created
        /// A close or a kill was called. It may come before the start, or while that is under way.
        var isEndRequested = false
        var hasServed = false
        var busyWorkers = 0
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Lock(State())

    var phase: Phase { state.withLock { $0.phase } }

    /// Whether the route was told to end, and has not been reopened since.
    var isEndRequested: Bool { state.withLock { $0.isEndRequested } }

    /// Notes a close or a kill before its turn comes: a start that is under way ends itself as soon as it sees this.
    func requestEnd() {
        state.withLock { $0.isEndRequested = true }
    }

    /// The one start a route has.
    /// - Throws: ``StreamError/closed`` where it was told to end before, ``StreamError/alreadyStarted``.
    func start() throws(StreamError) {
        let result = state.withLock { state -> Result<Void, StreamError> in
            guard !state.hasServed, state.phase != .starting else { return .failure(.alreadyStarted) }
            guard state.phase == .created, !state.isEndRequested else { return .failure(.closed) }
            state.phase = .starting
            return .success(())
        }
        try result.get()
    }

    /// - Throws: ``StreamError/closed`` where the route was told to end.
    func checkEndRequest() throws(StreamError) {
        if isEndRequested { throw .closed }
    }

    /// Serving on `workers` workers.
    func started(workers: Int) {
        state.withLock { state in
            state.phase = .serving
            state.hasServed = true
            state.busyWorkers = workers
        }
    }

    /// The start failed; it may be tried again, unless the route was told to end.
    func startFailed() {
        leave(to: .created)
    }

    /// Ends the life of a route that does not serve. False where it does, or did.
    func closeUnserved() -> Bool {
        let isUnserved = state.withLock { $0.phase == .created }
        if isUnserved { leave(to: .closed) }
        return isUnserved
    }

    /// Whether the caller is the one who closes.
    func beginClosing() -> Bool {
        state.withLock { state in
            guard state.phase == .serving else { return false }
            state.phase = .closing
            state.isEndRequested = true
            return true
        }
    }

    /// A worker's last connection or session is gone, and it takes no more. Returns whether it was the last worker.
    func workerFinished() -> Bool {
        state.withLock { state in
            // A worker that has not heard yet that the route serves again.
            guard state.phase == .closing else { return false }
            state.busyWorkers -= 1
            return state.busyWorkers == 0
        }
    }

    /// Whether a route that closes serves again, on `workers` workers: not where it has ended already.
    func reopen(workers: Int) -> Bool {
        state.withLock { state in
            guard state.phase == .closing, state.busyWorkers > 0 else { return false }
            state.phase = .serving
            state.isEndRequested = false
            state.busyWorkers = workers
            return true
        }
    }

    /// Everything is released.
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

    /// Waits for ``closed()``, or for a start that fails. A route that never served counts as closed.
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
