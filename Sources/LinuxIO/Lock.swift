import Synchronization

/// A value behind a mutex, whose order the thread sanitizer can see.
///
/// `Mutex` waits inside the standard library, which is not instrumented: where two threads meet in it, the sanitizer
/// reports a race that is none. The atomic orders the same accesses once more, where it looks. For values of the
/// control plane; two more instructions do not matter there.
public struct Lock<Value: Sendable>: ~Copyable, Sendable {
    private let mutex: Mutex<Value>
    private let order = Atomic<Bool>(false)

    /// A value that is only reached through ``withLock(_:)``.
    public init(_ value: Value) {
        mutex = Mutex(value)
    }

    /// Runs `body` while no other thread does.
    public borrowing func withLock<Result: Sendable>(_ body: (inout Value) -> Result) -> Result {
        mutex.withLock { value in
            // Acquire: everything that was done to the value before came before this.
            _ = order.load(ordering: .acquiring)
            defer {
                // Release: what was done here comes before the next access.
                order.store(true, ordering: .releasing)
            }
            return body(&value)
        }
    }
}
