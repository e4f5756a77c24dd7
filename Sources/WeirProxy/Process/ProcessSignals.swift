import Glibc

/// The signals that steer the process, taken by one thread with sigwait(3): handlers could do next to nothing safely.
public enum ProcessSignals {
    /// What a signal asks for.
    public enum Request: Sendable {
        /// SIGTERM, SIGINT: drain and end.
        case end
        /// SIGHUP: read the configuration again.
        case reload
    }

    private static func set() -> sigset_t {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        for signal in [SIGTERM, SIGINT, SIGHUP] { unsafe sigaddset(&signals, signal) }
        return signals
    }

    /// Keeps the signals for ``next()``. Before any thread is started, so that all of them inherit it.
    public static func take() {
        var signals = set()
        unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    /// Waits for the next one. For a thread that may block; the main thread of `weir run` does nothing else.
    public static func next() -> Request {
        var signals = set()
        while true {
            var signal: CInt = 0
            guard unsafe sigwait(&signals, &signal) == 0 else { continue }
            return signal == SIGHUP ? .reload : .end
        }
    }
}
