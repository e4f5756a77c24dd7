import CLinux

/// The events of a descriptor, as epoll(7) reports them.
public struct EventSet: OptionSet, Sendable {
    /// The kernel's bits.
    public let rawValue: UInt32

    /// A set of the kernel's bits.
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// There is something to read, or an end, or an error.
    public static let readable = EventSet(rawValue: EPOLLIN.rawValue)
    /// There is room to write.
    public static let writable = EventSet(rawValue: EPOLLOUT.rawValue)
    /// The peer will send no more (it shut down its writing side).
    public static let peerClosed = EventSet(rawValue: EPOLLRDHUP.rawValue)
    /// Urgent data (tcp(7)) waits, at which a read stops short.
    public static let urgent = EventSet(rawValue: EPOLLPRI.rawValue)
    /// Both directions are closed. Always reported.
    public static let hangup = EventSet(rawValue: EPOLLHUP.rawValue)
    /// An error is pending. Always reported.
    public static let error = EventSet(rawValue: EPOLLERR.rawValue)
    /// Report changes, not states.
    public static let edgeTriggered = EventSet(rawValue: EPOLLET.rawValue)

    /// Any sign that an end or an error lies behind the data: a short read then proves nothing.
    public static let anyEnd: EventSet = [.peerClosed, .hangup, .error]
    /// All events of a relayed socket, registered once.
    public static let relay: EventSet = [.readable, .writable, .peerClosed, .urgent, .edgeTriggered]
}
