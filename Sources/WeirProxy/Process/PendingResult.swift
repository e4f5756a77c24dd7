import LinuxIO
import Threading

/// Carries the result of a task to the plain thread that waits for it.
final class PendingResult<Value: Sendable>: Sendable {
    private let value = Lock<Value?>(nil)
    private let signal: EventSignal

    /// Creates one without a result.
    init() throws(SystemError) {
        signal = try EventSignal()
    }

    /// Gives the result; any thread.
    func end(_ value: Value) {
        self.value.withLock { $0 = value }
        signal.signal()
    }

    /// Waits for the result, for at most this long. Returns nil where there is none then.
    func wait(within limit: Duration) -> Value? {
        signal.wait(within: limit)
        return value.withLock { $0 }
    }
}
