public import LinuxIO

/// Carries the bytes of one check over its socket, such as through the tunnel of an agent. Confined to the checker's
/// thread. No call blocks.
public protocol CheckSession: AnyObject {
    /// Performs steps of what precedes the bytes, as far as the socket allows.
    func handshake(on socket: borrowing Socket) -> CheckHandshake
    /// Reads bytes of the member.
    func receive(into buffer: UnsafeMutableRawBufferPointer, from socket: borrowing Socket) -> ReadResult
    /// Sends bytes to the member. It owns those that it reports as accepted.
    func send(_ bytes: UnsafeRawBufferPointer, to socket: borrowing Socket) -> WriteResult
    /// Writes what it has accepted, and the socket did not take. Returns what broke the connection; nil while it holds.
    func flush(to socket: borrowing Socket) -> SystemError?
    /// Tells the peer that nothing follows.
    func finish(on socket: borrowing Socket)
}

/// The outcome of steps of a ``CheckSession``.
public enum CheckHandshake: Sendable, Equatable {
    /// The member is connected.
    case done
    /// The next step needs an event of the socket.
    case waiting
    /// The member, or the way to it, failed.
    case failed(CheckResult)
    /// The connection failed.
    case broken(SystemError)
}

/// Makes the sessions that carry the checks of a target. The target's address is then that of a peer in between.
public struct CheckCarrier: Sendable {
    /// The identity: equal ones carry to the same member in the same way.
    private let key: String
    let makeSession: @Sendable (_ timeout: Duration) -> any CheckSession

    /// Joins an identity and the maker of sessions.
    public init(key: String, makeSession: @escaping @Sendable (_ timeout: Duration) -> any CheckSession) {
        self.key = key
        self.makeSession = makeSession
    }
}

extension CheckCarrier: Hashable {
    /// Whether both have the same identity.
    public static func == (left: CheckCarrier, right: CheckCarrier) -> Bool { left.key == right.key }

    /// Feeds the identity.
    public func hash(into hasher: inout Hasher) { hasher.combine(key) }
}
