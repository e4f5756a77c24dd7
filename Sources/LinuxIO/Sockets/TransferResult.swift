import NetworkTypes

/// What a read came to. Would-block and the end are results, not errors.
public enum ReadResult: Sendable {
    /// At least one byte.
    case bytes(Int)
    /// Nothing there now.
    case wouldBlock
    /// The peer sent FIN, and all before it was read.
    case endOfStream
    /// The connection is broken; all queued data was read before this comes.
    case failed(SystemError)
}

/// What a write came to.
public enum WriteResult: Sendable {
    /// How many bytes the kernel took, perhaps not all.
    case bytes(Int)
    /// No room now.
    case wouldBlock
    /// The connection is broken.
    case failed(SystemError)
}

/// What a connect came to.
public enum ConnectResult: Sendable {
    /// Done.
    case connected
    /// Under way: wait until the socket is writable, then ask ``Socket/takeError()``.
    case inProgress
    /// Refused, or not even tried.
    case failed(SystemError)
}

/// What an accept came to.
public enum AcceptResult: ~Copyable, Sendable {
    /// A connection and its peer.
    case accepted(Socket, SocketAddress)
    /// Nobody is waiting.
    case wouldBlock
    /// See accept(2) for the errors that concern one connection only.
    case failed(SystemError)
}
