import LinuxIO

extension ChannelTraits {
    /// The traits of a plain Unix socket (unix(7)). A read stops at bytes that came with descriptors, so that a short
    /// one does not mean "empty"; and what was sent is with the peer at once, also after a close.
    static let unixSocket: ChannelTraits = [.canPeek, .canSplice, .shortWriteMeansFull, .closeSendsEnd]
}

/// The channel of an endpoint's bytes: a socket, or a session that encrypts over one.
enum Channel: ~Copyable {
    case closed
    case plain(Socket)
    /// Boxed to keep plain connections small.
    case secure(SecureChannel)

    /// The encrypting channel; nil for a plain or closed one.
    var encrypted: SecureChannel? {
        switch self {
        case .closed: nil
        case .plain: nil
        case .secure(let channel): channel
        }
    }

    /// Calls `body` with the socket, while there is one.
    @inline(__always) @discardableResult
    borrowing func withSocket<Result>(_ body: (borrowing Socket) -> Result) -> Result? {
        switch self {
        case .closed: nil
        case .plain(let socket): body(socket)
        case .secure(let channel): channel.withSocket(body)
        }
    }

    /// Returns the socket, which the caller owns, and leaves the channel closed.
    mutating func takeSocket() -> Socket? {
        let channel = consume self
        self = .closed
        switch consume channel {
        case .closed: return nil
        case .plain(let socket): return consume socket
        case .secure(let channel): return channel.takeSocket()
        }
    }

    /// Encrypts from now on. Bytes that were sent before were not encrypted.
    mutating func secure(with session: any SecureSession) {
        guard let socket = takeSocket() else { return }
        self = .secure(SecureChannel(socket, session))
    }
}

/// A socket with the session that encrypts over it. Confined to the worker.
final class SecureChannel {
    private var socket: Socket?
    let session: any SecureSession
    /// Whether its connection stands in the worker's queue of handshakes.
    var awaitsStep = false
    /// The upstream's preface, for after the handshake.
    var preface: UpstreamPreface?

    init(_ socket: consuming Socket, _ session: any SecureSession) {
        self.socket = consume socket
        self.session = session
    }

    @discardableResult
    func withSocket<Result>(_ body: (borrowing Socket) -> Result) -> Result? {
        guard socket != nil else { return nil }
        return body(socket!)
    }

    func takeSocket() -> Socket? { socket.take() }

    func handshake() -> HandshakeStep { withSocket { session.handshake(on: $0) } ?? .failed }

    func receive(into buffer: UnsafeMutableRawBufferPointer) -> ReadResult {
        withSocket { unsafe session.receive(into: buffer, from: $0) } ?? .wouldBlock
    }

    func send(_ bytes: UnsafeRawBufferPointer) -> WriteResult {
        withSocket { unsafe session.send(bytes, to: $0) } ?? .wouldBlock
    }

    /// The session, where another dial goes on behind it.
    var dialSession: (any DialSession)? { session as? any DialSession }

    func dialEnded(_ end: DialEnd) -> Bool {
        guard let dialSession else { return false }
        return withSocket { dialSession.dialEnded(end, on: $0) } ?? false
    }

    func finishWriting() { withSocket { session.finishWriting(on: $0) } }

    func flush() -> SystemError? { withSocket { session.flush(to: $0) } ?? nil }
}
