import LinuxIO

/// One side of a relayed connection: its channel, and the state that epoll(7) reported last.
///
/// The socket is registered once, edge-triggered: `isReadable` and `isWritable` hold until a call returns EAGAIN.
struct RelayEndpoint: ~Copyable {
    private var channel: Channel
    var isReadable = false
    var isWritable = true
    /// Whether an end or an error follows the data: a short read then no longer means that the socket is empty.
    private(set) var sawEnd = false
    /// Whether the socket holds the peer's last byte and its end: a short read then returns the last byte.
    private(set) var holdsEverything = false
    /// Whether urgent data has arrived: a read may stop at it, and a splice never passes it.
    private(set) var sawUrgent = false
    /// Whether the endpoint has failed: it accepts no more bytes, but earlier bytes can still be read.
    private(set) var isBroken = false
    /// Whether epoll reported an error that no call has returned yet.
    private(set) var hasError = false
    /// The traits of the channel. An endpoint without a channel has those of a plain socket, which are never used.
    private(set) var traits = ChannelTraits.plainSocket
    private var isEncrypted = false

    /// Whether options of a dialed socket are not set yet, because many connections end before they need them.
    private var postponesOptions = false
    private var isFirstWrite = true
    /// Whether ACKs are delayed until there is data, because the response is likely to arrive in one read.
    private var expectsSingleResponse = false

    /// The length in bytes from which a first write may end in a segment that Nagle's algorithm would delay (RFC 896).
    private static let longWriteByteCount = 1024

    /// Creates an endpoint that is not connected.
    init() {
        channel = .closed
    }

    /// Creates an endpoint of an accepted socket.
    init(accepted socket: consuming Socket) {
        if socket.family == .unix { traits = .unixSocket }
        channel = .plain(socket)
    }

    /// Creates an endpoint of a dialed socket.
    init(dialed socket: consuming Socket, expectsSingleResponse: Bool) {
        let isUnix = socket.family == .unix
        if isUnix { traits = .unixSocket }
        channel = .plain(socket)
        postponesOptions = !isUnix
        self.expectsSingleResponse = expectsSingleResponse
    }

    // MARK: Events

    /// Records the events that epoll reported.
    mutating func note(_ events: EventSet) {
        if events.contains(.readable) { isReadable = true }
        if events.contains(.writable) { isWritable = true }
        if events.contains(.error) { hasError = true }
        if events.contains(.urgent) {
            sawUrgent = true
            // From now on only EAGAIN proves that the socket is empty.
            sawEnd = true
        }
        if !events.isDisjoint(with: .anyEnd) {
            sawEnd = true
            // Urgent data makes reads short, and after an error only the reads tell what follows.
            holdsEverything =
                events.contains(.peerClosed) && events.isDisjoint(with: [.error, .hangup, .urgent])
            isReadable = true
            // A write reports the error where no read is due.
            isWritable = true
        }
        if isEncrypted {
            // A session may have to write before it can read, and the other way round.
            isReadable = true
            isWritable = true
        }
    }

    /// Records a failed call: nothing is written any more, and the earlier bytes of the peer are still read.
    mutating func fail() {
        isBroken = true
        sawEnd = true
        isReadable = true
    }

    /// Returns the error that epoll reported, where no read or write is due that would return it; nil where there is
    /// none.
    mutating func takeReportedError() -> SystemError? {
        hasError = false
        guard !isBroken else { return nil }
        return channel.withSocket { $0.takeError() } ?? nil
    }

    // MARK: Encryption

    /// Encrypts from now on, beginning with a handshake.
    mutating func secure(with session: any SecureSession) {
        channel.secure(with: session)
        traits.formIntersection(session.traits)
        isEncrypted = true
    }

    /// Performs one step of the session's handshake.
    mutating func handshake() -> HandshakeStep {
        guard let encrypted = channel.encrypted else { return .done }
        let step = encrypted.handshake()
        // The session may have read bytes after the handshake, for which no event comes.
        if step == .done { isReadable = true }
        return step
    }

    /// The encrypting channel; nil for a plain one.
    var encrypted: SecureChannel? { isEncrypted ? channel.encrypted : nil }

    /// Tells the session that its handshake takes too long.
    func handshakeTimedOut() { channel.encrypted?.session.handshakeTimedOut() }

    /// Tells the session how the dial has ended. Returns whether the session has told the peer.
    func dialEnded(_ end: DialEnd) -> Bool { isEncrypted && channel.encrypted?.dialEnded(end) == true }

    /// Whether a session's last read has emptied the socket although it returned bytes.
    var hasEmptiedSocket: Bool { isEncrypted && channel.encrypted?.session.hasEmptiedSocket == true }

    /// Whether the session holds output that the socket has not accepted.
    var hasPendingOutput: Bool { isEncrypted && channel.encrypted?.session.hasPendingOutput == true }

    /// Writes pending output to the socket.
    /// - Throws: the error that ended the connection.
    mutating func flushPendingOutput() throws(SystemError) {
        guard let encrypted = channel.encrypted else { return }
        if let error = encrypted.flush() { throw error }
        isWritable = !encrypted.session.hasPendingOutput
    }

    // MARK: Reading

    mutating func receive(into buffer: UnsafeMutableRawBufferPointer) -> ReadResult {
        switch channel {
        case .closed: .wouldBlock
        case .plain(let socket): unsafe socket.receive(into: buffer)
        case .secure(let secure): unsafe secure.receive(into: buffer)
        }
    }

    /// See ``Socket/receiveCopy(into:)``. Call it only where the channel can peek.
    func receiveCopy(into buffer: UnsafeMutableRawBufferPointer) -> ReadResult {
        channel.withSocket { unsafe $0.receiveCopy(into: buffer) } ?? .wouldBlock
    }

    /// Peeks for a byte, the end or an error. Call it only where the channel can peek.
    func peek() -> ReadResult {
        var byte: UInt8 = 0
        return unsafe withUnsafeMutableBytes(of: &byte) { unsafe receiveCopy(into: $0) }
    }

    /// Consumes `count` bytes that ``receiveCopy(into:)`` returned; fewer where the connection has failed since.
    func discard(_ count: Int) {
        var rest = count
        while rest > 0, let result = channel.withSocket({ $0.discard(rest) }), case .bytes(let taken) = result {
            rest -= taken
        }
    }

    /// See ``Pipe/fill(from:limit:)``. Call it only where the channel can splice.
    func fill(_ pipe: Pipe, limit: Int) -> ReadResult {
        channel.withSocket { pipe.fill(from: $0, limit: limit) } ?? .wouldBlock
    }

    /// Handles the first read of a response. Where a single read was expected and more follows, it is acknowledged at
    /// once.
    mutating func responded(withEnd: Bool) {
        if expectsSingleResponse, !withEnd { channel.withSocket { $0.setIfPossible(.quickAcknowledge, 1) } }
        expectsSingleResponse = false
    }

    // MARK: Writing

    /// Sends bytes. `more` tells that the end of the stream follows at once (`MSG_MORE`, send(2)).
    mutating func send(_ bytes: UnsafeRawBufferPointer, more: Bool) -> WriteResult {
        if postponesOptions { startSending(bytes.count) }
        return switch channel {
        case .closed: .wouldBlock
        case .plain(let socket): unsafe socket.send(bytes, more: more)
        case .secure(let secure): unsafe secure.send(bytes)
        }
    }

    /// See ``Pipe/drain(to:)``. Call it only where the channel can splice.
    mutating func drain(_ pipe: Pipe) -> WriteResult {
        if postponesOptions { startSending(pipe.count) }
        return channel.withSocket { pipe.drain(to: $0) } ?? .wouldBlock
    }

    /// Sets `TCP_NODELAY` before a long or a second write. A short first write is sent at once even with Nagle's
    /// algorithm.
    private mutating func startSending(_ count: Int) {
        if isFirstWrite, count < Self.longWriteByteCount {
            isFirstWrite = false
            return
        }
        postponesOptions = false
        channel.withSocket { $0.setIfPossible(.noDelay, 1) }
    }

    /// Ends the stream to the peer: with FIN, or as the session does. The next read reports a connection that has
    /// failed.
    mutating func finishWriting() {
        switch channel {
        case .closed: break
        case .plain(let socket): try? socket.shutdownWriting()
        case .secure(let secure): secure.finishWriting()
        }
    }

    /// The sent bytes that the peer's kernel has not acknowledged, as far as that is known.
    var unacknowledgedByteCount: Int {
        guard traits.contains(.reportsUnacknowledged) else { return hasPendingOutput ? 1 : 0 }
        return (channel.withSocket { $0.unacknowledgedBytes() } ?? 0) + (hasPendingOutput ? 1 : 0)
    }

    // MARK: Life

    /// Calls `body` with the socket, while there is one.
    @discardableResult
    func withSocket<Result>(_ body: (borrowing Socket) -> Result) -> Result? { channel.withSocket(body) }

    /// Returns the endpoint with its state, and leaves one that is not connected.
    mutating func take() -> RelayEndpoint {
        let taken = consume self
        self = RelayEndpoint()
        return taken
    }

    /// Returns the socket, which the caller owns, and leaves the endpoint unconnected.
    mutating func takeSocket() -> Socket? { channel.takeSocket() }

    /// Closes the socket: with RST, which a Unix socket does not have, or with FIN after the sent bytes.
    mutating func close(withReset: Bool) {
        guard let socket = channel.takeSocket() else { return }
        if withReset { socket.closeWithReset() } else { socket.close() }
    }
}
