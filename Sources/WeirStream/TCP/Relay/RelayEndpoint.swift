import LinuxIO

/// One side of a relayed connection: its channel, with what epoll(7) said of it last.
///
/// The socket is registered once, edge-triggered: `isReadable` and `isWritable` hold until a call says otherwise.
struct RelayEndpoint: ~Copyable {
    private var channel: Channel
    var isReadable = false
    var isWritable = true
    /// An end or an error lies somewhere behind the data: a short read no longer means that the socket is empty.
    private(set) var sawEnd = false
    /// All that the peer ever sent is in the socket already, and its end behind it: a short read then takes the last of it.
    private(set) var holdsEverything = false
    /// Urgent data has come: a read may stop short at it, and a splice never passes it.
    private(set) var sawUrgent = false
    /// It broke: nothing more can be written to it. What it sent before can still be read.
    private(set) var isBroken = false
    /// epoll reported an error that no call has told yet.
    private(set) var hasError = false
    /// What the relay may assume of its bytes. Those of an endpoint without a channel are a plain one's: it gives and takes
    /// nothing anyway.
    private(set) var traits = ChannelTraits.plainSocket
    private var isEncrypted = false

    /// Options postponed on a socket that was connected by us, because many connections end before they need them.
    private var postponesOptions = false
    private var isFirstWrite = true
    /// Whether ACKs wait for data to go with, because the response is likely to come in one piece.
    private var expectsSingleResponse = false

    /// From this length on a first write may end in a segment that Nagle's algorithm would hold back (RFC 896).
    private static let longWriteByteCount = 1024

    /// An endpoint that is not connected.
    init() {
        channel = .closed
    }

    /// A socket that was accepted.
    init(accepted socket: consuming Socket) {
        channel = .plain(socket)
    }

    /// A socket that was connected by us.
    init(dialed socket: consuming Socket, expectsSingleResponse: Bool) {
        channel = .plain(socket)
        postponesOptions = true
        self.expectsSingleResponse = expectsSingleResponse
    }

    // MARK: Events

    /// Takes in what epoll said of the socket.
    mutating func note(_ events: EventSet) {
        if events.contains(.readable) { isReadable = true }
        if events.contains(.writable) { isWritable = true }
        if events.contains(.error) { hasError = true }
        if events.contains(.urgent) {
            sawUrgent = true
            // From here on only a read that finds nothing proves that there is nothing.
            sawEnd = true
        }
        if !events.isDisjoint(with: .anyEnd) {
            sawEnd = true
            // Urgent data makes reads short, and what lies behind an error is for the reads to tell.
            holdsEverything =
                events.contains(.peerClosed) && events.isDisjoint(with: [.error, .hangup, .urgent])
            isReadable = true
            // A write then tells what happened, where no read is allowed to.
            isWritable = true
        }
        if isEncrypted {
            // A session may have to write before it can read, and the other way round.
            isReadable = true
            isWritable = true
        }
    }

    /// Notes that a call failed: nothing is written any more, and whatever the peer sent before is still read.
    mutating func fail() {
        isBroken = true
        sawEnd = true
        isReadable = true
    }

    /// The error that epoll reported and that no read or write will tell, because none is due; nil where there is none.
    mutating func takeReportedError() -> SystemError? {
        hasError = false
        guard !isBroken else { return nil }
        return channel.withSocket { $0.takeError() } ?? nil
    }

    // MARK: Encryption

    /// Encrypts from here on, beginning with a handshake.
    mutating func secure(with session: any SecureSession) {
        channel.secure(with: session)
        traits = session.traits
        isEncrypted = true
    }

    /// Goes on with the handshake of a session, by one step.
    mutating func handshake() -> HandshakeStep {
        guard let encrypted = channel.encrypted else { return .done }
        let step = encrypted.handshake()
        // The session may have read bytes behind the handshake, of which no event will tell.
        if step == .done { isReadable = true }
        return step
    }

    /// Whether a session holds output that the socket has not taken.
    var hasPendingOutput: Bool { isEncrypted && channel.encrypted?.session.hasPendingOutput == true }

    /// Gives pending output to the socket. Throws how the connection broke.
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

    /// See ``Socket/receiveCopy(into:)``. Only where the channel can peek.
    func receiveCopy(into buffer: UnsafeMutableRawBufferPointer) -> ReadResult {
        channel.withSocket { unsafe $0.receiveCopy(into: buffer) } ?? .wouldBlock
    }

    /// Whether a byte, the end or a break comes next. Takes nothing. Only where the channel can peek.
    func peek() -> ReadResult {
        var byte: UInt8 = 0
        return unsafe withUnsafeMutableBytes(of: &byte) { unsafe receiveCopy(into: $0) }
    }

    /// Takes `count` bytes that ``receiveCopy(into:)`` has shown. Fewer are gone where the connection broke meanwhile.
    func discard(_ count: Int) {
        var rest = count
        while rest > 0, let result = channel.withSocket({ $0.discard(rest) }), case .bytes(let taken) = result {
            rest -= taken
        }
    }

    /// See ``Pipe/fill(from:limit:)``. Only where the channel can splice.
    func fill(_ pipe: Pipe, limit: Int) -> ReadResult {
        channel.withSocket { pipe.fill(from: $0, limit: limit) } ?? .wouldBlock
    }

    /// The first read of a response came. What was expected to be all of it is acknowledged at once where more follows.
    mutating func responded(withEnd: Bool) {
        if expectsSingleResponse, !withEnd { channel.withSocket { $0.setIfPossible(.quickAcknowledge, 1) } }
        expectsSingleResponse = false
    }

    // MARK: Writing

    /// Sends. With `more` the end of the stream follows at once (`MSG_MORE`, send(2)).
    mutating func send(_ bytes: UnsafeRawBufferPointer, more: Bool) -> WriteResult {
        if postponesOptions { startSending(bytes.count) }
        return switch channel {
        case .closed: .wouldBlock
        case .plain(let socket): unsafe socket.send(bytes, more: more)
        case .secure(let secure): unsafe secure.send(bytes)
        }
    }

    /// See ``Pipe/drain(to:)``. Only where the channel can splice.
    mutating func drain(_ pipe: Pipe) -> WriteResult {
        if postponesOptions { startSending(pipe.count) }
        return channel.withSocket { pipe.drain(to: $0) } ?? .wouldBlock
    }

    /// A first short write leaves at once whether or not Nagle's algorithm is on: `TCP_NODELAY` is for the next one.
    private mutating func startSending(_ count: Int) {
        if isFirstWrite, count < Self.longWriteByteCount {
            isFirstWrite = false
            return
        }
        postponesOptions = false
        channel.withSocket { $0.setIfPossible(.noDelay, 1) }
    }

    /// Says that no more bytes follow: with FIN, or as the session does it. A connection that is gone already says so at
    /// the next read.
    mutating func finishWriting() {
        switch channel {
        case .closed: break
        case .plain(let socket): try? socket.shutdownWriting()
        case .secure(let secure): secure.finishWriting()
        }
    }

    /// Bytes sent that have not reached the peer's kernel, as far as that can be known.
    var unacknowledgedByteCount: Int {
        guard traits.contains(.reportsUnacknowledged) else { return hasPendingOutput ? 1 : 0 }
        return (channel.withSocket { $0.unacknowledgedBytes() } ?? 0) + (hasPendingOutput ? 1 : 0)
    }

    // MARK: Life

    /// Calls `body` with the socket, while there is one.
    @discardableResult
    func withSocket<Result>(_ body: (borrowing Socket) -> Result) -> Result? { channel.withSocket(body) }

    /// Gives the socket away, and leaves the endpoint unconnected.
    mutating func takeSocket() -> Socket? { channel.takeSocket() }

    /// Closes the socket: with RST, or with FIN after what was sent.
    mutating func close(withReset: Bool) {
        guard let socket = channel.takeSocket() else { return }
        if withReset { socket.closeWithReset() } else { socket.close() }
    }
}
