import NetworkTypes

/// The outcome of a read. Would-block and the end of the stream are results, not errors.
public enum ReadResult: Sendable {
    /// At least one byte.
    case bytes(Int)
    /// No data is queued now.
    case wouldBlock
    /// The peer sent FIN, and all data before it was read.
    case endOfStream
    /// The connection is broken; all queued data was read before.
    case failed(SystemError)
}

/// The outcome of a write.
public enum WriteResult: Sendable {
    /// The number of bytes that the kernel took, perhaps not all.
    case bytes(Int)
    /// No room now.
    case wouldBlock
    /// The connection is broken.
    case failed(SystemError)
}

/// The outcome of a connect.
public enum ConnectResult: Sendable {
    /// The connection is established.
    case connected
    /// Under way: wait until the socket is writable, then ask ``Socket/takeError()``.
    case inProgress
    /// Refused, or not even attempted.
    case failed(SystemError)
}

/// The outcome of an accept.
public enum AcceptResult: ~Copyable, Sendable {
    /// A connection and its peer.
    case accepted(Socket, SocketAddress)
    /// No connection is pending.
    case wouldBlock
    /// An error, perhaps of one pending connection only: accept(2) lists those.
    case failed(SystemError)
}
