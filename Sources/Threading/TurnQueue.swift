/// Lets callers in one at a time, in the order of their calls: no caller sees the work of another, which may span
/// several awaits, half-done.
public final class TurnQueue: Sendable {
    private struct State {
        var isTaken = false
        var waiting: ArraySlice<CheckedContinuation<Void, Never>> = []
    }

    private let state = Lock(State())

    /// Creates a queue whose first caller gets its turn at once.
    public init() {}

    /// Returns when it is the caller's turn, which lasts until ``leave()``.
    public func enter() async {
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                if state.isTaken {
                    state.waiting.append(continuation)
                    return false
                }
                state.isTaken = true
                return true
            }
            if isFree { continuation.resume() }
        }
    }

    /// Ends the caller's turn: the next one's begins.
    public func leave() {
        let next = state.withLock { state in
            let next = state.waiting.popFirst()
            if next == nil { state.isTaken = false }
            return next
        }
        next?.resume()
    }
}
