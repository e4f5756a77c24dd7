import CLinux

/// Wakes an ``EventLoop`` from another thread: a descriptor that becomes readable (eventfd(2)). Signals that nobody has
/// taken yet are one.
public struct EventSignal: ~Copyable, Sendable {
    private let descriptor: FileDescriptor

    /// One that was not given yet.
    public init() throws(SystemError) {
        descriptor = FileDescriptor(adopting: try check(weir_eventfd(), .eventFD))
    }

    /// The number to register in the loop.
    public var number: CInt { descriptor.rawValue }

    /// Makes it readable. Any thread.
    public borrowing func give() {
        // It fails only where 2^64 - 2 signals were not taken: it is readable then, too.
        _ = weir_eventfd_signal(descriptor.rawValue)
    }

    /// Makes it unreadable, before one looks at what it is about.
    public borrowing func take() {
        _ = weir_eventfd_drain(descriptor.rawValue)
    }
}
