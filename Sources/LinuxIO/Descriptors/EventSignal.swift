import CLinux

/// A signal from any thread to one that waits: a descriptor that is readable once it was given (eventfd(2)). An
/// ``EventLoop`` watches ``number``; a plain thread calls ``wait(within:)``. Signals before the next ``reset()`` coalesce.
public struct EventSignal: ~Copyable, Sendable {
    private let descriptor: FileDescriptor

    /// Creates a signal that was not given yet.
    public init() throws(SystemError) {
        descriptor = FileDescriptor(adopting: try check(weir_eventfd(), .eventFD))
    }

    /// The number to register in the loop.
    public var number: CInt { descriptor.rawValue }

    /// Makes it readable. Any thread; never blocks, so it is safe on a worker.
    public borrowing func signal() {
        // It fails only where 2^64 - 2 signals were not taken: it is readable then, too.
        _ = weir_eventfd_signal(descriptor.rawValue)
    }

    /// Makes it unreadable. To be called before the condition is looked at that it stands for, so that no later signal is
    /// lost.
    public borrowing func reset() {
        _ = weir_eventfd_drain(descriptor.rawValue)
    }

    /// Waits on a plain thread for a signal, for at most this long, and resets it. Returns whether there was one.
    @discardableResult
    public borrowing func wait(within limit: Duration) -> Bool {
        guard Poll.wait(for: .readable, on: number, within: limit) else { return false }
        reset()
        return true
    }
}
