import Glibc
import Threading

/// Waiting on a plain thread (poll(2)), for one descriptor or for a time. Never on the thread of an event loop.
public enum Poll {
    /// The readiness that is waited for.
    public enum Readiness: Sendable {
        /// A read would not block.
        case readable
        /// A write would not block.
        case writable
    }

    /// Waits until the descriptor is ready, for at most `limit`, which is rounded up to milliseconds. Signals do not
    /// shorten the wait.
    ///
    /// - Returns: whether it is ready. Errors and hang-ups count as ready, as does a poll that fails: the next call on
    ///   the descriptor reports the error.
    public static func wait(for readiness: Readiness, on number: CInt, within limit: Duration) -> Bool {
        var entry = pollfd(fd: number, events: Int16(readiness == .readable ? POLLIN : POLLOUT), revents: 0)
        return repeated(within: limit) { unsafe poll(&entry, 1, $0) } != 0
    }

    /// Lets that much time pass, rounded up to milliseconds.
    public static func pause(_ duration: Duration) {
        _ = repeated(within: duration) { poll(nil, 0, $0) }
    }

    /// Calls `wait` with the milliseconds that are left, again where a signal ended it.
    private static func repeated(within limit: Duration, _ wait: (CInt) -> CInt) -> CInt {
        let end = MonotonicClock.system.nanoseconds.addingReportingOverflow(limit.clampedNanoseconds)
        var left = limit.clampedNanoseconds
        while true {
            let result = wait(CInt(clamping: left / 1_000_000 + (left % 1_000_000 > 0 ? 1 : 0)))
            guard result < 0, errno == EINTR else { return result }
            let now = MonotonicClock.system.nanoseconds
            left = end.overflow ? left : end.partialValue - min(now, end.partialValue)
        }
    }
}
