import Glibc
import LinuxIO

/// The signals that steer the process, taken by one thread with sigtimedwait(2): handlers could do next to nothing
/// safely.
public enum ProcessSignals {
    /// The request that a signal stands for.
    public enum Request: Sendable {
        /// SIGTERM, SIGINT: drain and end.
        case end
        /// SIGHUP: read the configuration again.
        case reload
        /// SIGCHLD, for process 1 only: a child has ended.
        case childEnded
    }

    private static func set() -> sigset_t {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        let children = OrphanedProcesses.areOurs ? [SIGCHLD] : []
        for signal in [SIGTERM, SIGINT, SIGHUP] + children { unsafe sigaddset(&signals, signal) }
        return signals
    }

    /// Blocks the signals, so that ``next(within:)`` receives them. Call it before any thread is started: threads
    /// inherit it.
    public static func block() {
        var signals = set()
        unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    /// Waits for the next one, for as long as it takes or for this long: then nil. For a thread that may block; the
    /// main thread of `weir run` does nothing else.
    public static func next(within time: Duration? = nil) -> Request? {
        var signals = set()
        guard let time else {
            while true {
                let signal = unsafe sigwaitinfo(&signals, nil)
                if signal > 0 { return request(signal) }
            }
        }
        let nanoseconds = Int(clamping: time.clampedNanoseconds)
        var limit = timespec(tv_sec: nanoseconds / 1_000_000_000, tv_nsec: nanoseconds % 1_000_000_000)
        let signal = unsafe sigtimedwait(&signals, nil, &limit)
        return signal > 0 ? request(signal) : nil
    }

    private static func request(_ signal: CInt) -> Request {
        switch signal {
        case SIGHUP: .reload
        case SIGCHLD: .childEnded
        default: .end
        }
    }

    /// Reaps processes that others have left to process 1. Returns whether some may be left.
    public static func reapOrphans() -> Bool { OrphanedProcesses.areOurs && OrphanedProcesses.reap() }
}
