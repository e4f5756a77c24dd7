import CLinux

/// A signal from any thread to one that waits: a descriptor that is readable while it is signaled (eventfd(2)). An
/// ``EventLoop`` watches ``number``; a plain thread calls ``wait(within:)``. Signals before the next ``reset()``
/// coalesce.
public struct EventSignal: ~Copyable, Sendable {
    private let descriptor: FileDescriptor

    /// Creates an unsignaled event.
    public init() throws(SystemError) {
        descriptor = FileDescriptor(adopting: try check(weir_eventfd(), .eventFD))
    }

    /// The number to register in the loop.
    public var number: CInt { descriptor.rawValue }

    /// Makes it readable. Any thread; never blocks, so it is safe on a worker.
    public borrowing func signal() {
        // It fails only at 2^64 - 2 signals without a reset: it is readable then, too.
        _ = weir_eventfd_signal(descriptor.rawValue)
    }

    /// Makes it unreadable. Call it before checking the condition that it announces, so that a later signal is not
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
