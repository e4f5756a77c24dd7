import Synchronization

/// A mutex that the thread sanitizer understands. It does not see into the standard library's `Mutex` and would report
/// every access under it from two threads; the counter beside it repeats the ordering in terms that it knows: what one
/// holder did happens before what the next does.
package struct Guarded<State>: ~Copyable, Sendable {
    private let mutex: Mutex<State>
    private let turns = Atomic<Int>(0)

    /// A state that is only reached through ``withLock(_:)``.
    package init(_ state: sending State) {
        mutex = Mutex(state)
    }

    /// Calls `body` alone with the state. May wait; never called by updates and scrapes.
    package func withLock<Result: Sendable, Failure: Error>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try mutex.withLock { state throws(Failure) in
            _ = turns.load(ordering: .acquiring)
            defer { turns.wrappingAdd(1, ordering: .releasing) }
            return try body(&state)
        }
    }
}
