import LinuxIO

/// Where a stream is in its life, and who waits for its end.
final class StreamLifecycle: Sendable {
    enum Phase: Sendable {
        case created, starting, serving, closing, closed
    }

    private struct State {
        var phase = Phase.created
        var busyWorkers = 0
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Lock(State())

    var phase: Phase { state.withLock { $0.phase } }

    /// The one start a stream has.
    func start() throws(StreamError) {
        let mayStart = state.withLock { state in
            guard state.phase == .created else { return false }
            state.phase = .starting
            return true
        }
        if !mayStart { throw .alreadyStarted }
    }

    /// Serving on `workers` workers.
    func started(workers: Int) {
        state.withLock { state in
            state.phase = .serving
            state.busyWorkers = workers
        }
    }

    /// The start failed; it may be tried again.
    func startFailed() {
        state.withLock { $0.phase = .created }
    }

    /// Whether the caller is the one who closes.
    func beginClosing() -> Bool {
        state.withLock { state in
            guard state.phase == .serving else { return false }
            state.phase = .closing
            return true
        }
    }

    /// A worker's last connection or session is gone, and it takes no more. Returns whether it was the last worker.
    func workerFinished() -> Bool {
        state.withLock { state in
            // A worker that has not heard yet that the stream serves again.
            guard state.phase == .closing else { return false }
            state.busyWorkers -= 1
            return state.busyWorkers == 0
        }
    }

    /// Whether a stream that closes serves again, on `workers` workers: not where it has ended already.
    func reopen(workers: Int) -> Bool {
        state.withLock { state in
            guard state.phase == .closing, state.busyWorkers > 0 else { return false }
            state.phase = .serving
            state.busyWorkers = workers
            return true
        }
    }

    /// Everything is released.
    func closed() {
        let waiters = state.withLock { state in
            state.phase = .closed
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Waits for ``closed()``. A stream that never served counts as closed.
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
