import Synchronization

/// A value behind a mutex, whose order the thread sanitizer can see: the one lock of all modules.
///
/// `Mutex` waits inside the standard library, which is not instrumented: where two threads meet in it, the sanitizer
/// reports a race that is none. The atomic orders the same accesses once more, where it looks. For values of the
/// control plane; two more instructions do not matter there.
public struct Lock<Value>: ~Copyable, Sendable {
    private let mutex: Mutex<Value>
    private let order = Atomic<Bool>(false)

    /// Creates a lock around a value, which is reached only through ``withLock(_:)``.
    public init(_ value: sending Value) {
        mutex = Mutex(value)
    }

    /// Runs `body` while no other thread does. May wait: never on the data path.
    public borrowing func withLock<Result: Sendable, Failure: Error>(
        _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try mutex.withLock { value throws(Failure) in
            // Acquire: everything that was done to the value before came before this.
            _ = order.load(ordering: .acquiring)
            defer {
                // Release: what was done here comes before the next access.
                order.store(true, ordering: .releasing)
            }
            return try body(&value)
        }
    }
}
