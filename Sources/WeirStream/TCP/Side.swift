import LinuxIO

/// One socket of a relayed connection, with what epoll said of it last.
///
/// The socket is registered once, edge-triggered: `isReadable` and `isWritable` hold until a call says otherwise.
struct Side: ~Copyable {
    var socket: Socket?
    var isReadable = false
    var isWritable = true
    /// An end or an error lies somewhere behind the data: a short read no longer means that the socket is empty.
    var sawEnd = false
    /// All that the peer ever sent is in the socket already, and its end behind it: a short read then takes the last of it.
    var holdsEverything = false
    /// It broke: nothing more can be written to it. What it sent before can still be read.
    var isBroken = false

    /// epoll reported an error, which no call has told yet.
    var hasError = false

    /// What was postponed on a socket that we connected, because many connections end before they need it.
    private var postpones = false
    private var isFirstWrite = true
    /// Whether the handshake's ACK still waits for data to go with.
    private var owesHandshake = false
    /// Whether the ACK of the answer may wait for ours to its end.
    private var expectsSingleAnswer = false

    /// From this length on a first write may end in a segment that Nagle's algorithm would hold back (RFC 896).
    private static let longWrite = 1024

    init(socket: consuming Socket? = nil) {
        self.socket = socket
    }

    /// A socket that we connected, to an upstream of these manners. Unless it speaks first the handshake's ACK waits.
    init(dialled socket: consuming Socket, manners: Manners) {
        self.socket = consume socket
        postpones = true
        owesHandshake = !manners.isUpstreamFirst
        expectsSingleAnswer = manners.givesSingleAnswers
    }

    mutating func note(_ events: EventSet) {
        if events.contains(.readable) { isReadable = true }
        if events.contains(.writable) { isWritable = true }
        if events.contains(.error) { hasError = true }
        if !events.isDisjoint(with: .anyEnd) {
            sawEnd = true
            // Urgent data makes reads short, and what lies behind an error is for the reads to tell.
            holdsEverything =
                events.contains(.peerClosed) && events.isDisjoint(with: [.error, .hangup, .urgent])
            isReadable = true
            // A write then tells what happened, where no read is allowed to.
            isWritable = true
        }
    }

    mutating func receive(into buffer: UnsafeMutableRawBufferPointer) -> ReadResult {
        guard socket != nil else { return .wouldBlock }
        return unsafe socket!.receive(into: buffer)
    }

    /// See ``Socket/receiveCopy(into:)``.
    func receiveCopy(into buffer: UnsafeMutableRawBufferPointer) -> ReadResult {
        guard socket != nil else { return .wouldBlock }
        return unsafe socket!.receiveCopy(into: buffer)
    }

    /// Takes `count` bytes that ``receiveCopy(into:)`` has shown. Fewer are gone where the connection broke meanwhile.
    func discard(_ count: Int) {
        var rest = count
        while rest > 0, let result = socket?.discard(rest), case .bytes(let taken) = result { rest -= taken }
    }

    mutating func send(_ bytes: UnsafeRawBufferPointer, more: Bool) -> WriteResult {
        guard socket != nil else { return .wouldBlock }
        if postpones { startSending(bytes.count) }
        let result = unsafe socket!.send(bytes, more: more)
        if owesHandshake { handshakeLeft() }
        return result
    }

    /// See ``Pipe/fill(from:limit:)``.
    func fill(_ pipe: Pipe, limit: Int) -> ReadResult {
        guard socket != nil else { return .wouldBlock }
        return pipe.fill(from: socket!, limit: limit)
    }

    /// See ``Pipe/drain(to:)``.
    mutating func drain(_ pipe: Pipe) -> WriteResult {
        guard socket != nil else { return .wouldBlock }
        if postpones { startSending(pipe.count) }
        let result = pipe.drain(to: socket!)
        if owesHandshake { handshakeLeft() }
        return result
    }

    /// A first short write leaves at once whether or not Nagle's algorithm is on: `TCP_NODELAY` is for the next one.
    private mutating func startSending(_ count: Int) {
        if isFirstWrite, count < Self.longWrite {
            isFirstWrite = false
            return
        }
        postpones = false
        socket?.setIfPossible(.noDelay, 1)
    }

    /// A write has taken the handshake's ACK along. The kernel takes the wait for a conversation in which ACKs may be late;
    /// an upstream that writes its answer in two pieces with Nagle's algorithm on would then stand for 40 ms.
    private mutating func handshakeLeft() {
        owesHandshake = false
        if !expectsSingleAnswer { socket?.setIfPossible(.quickAcknowledge, 1) }
    }

    /// Sends the ACK that ends the handshake where no data has gone with it.
    mutating func finishHandshake() {
        guard owesHandshake else { return }
        owesHandshake = false
        expectsSingleAnswer = false
        socket?.setIfPossible(.quickAcknowledge, 1)
    }

    /// The first read of the answer came. What was expected to be all of it is acknowledged at once where more follows.
    mutating func answered(withEnd: Bool) {
        if expectsSingleAnswer, !withEnd { socket?.setIfPossible(.quickAcknowledge, 1) }
        expectsSingleAnswer = false
    }

    /// The pending error, which this takes away.
    mutating func takeError() -> SystemError? {
        guard socket != nil else { return nil }
        return socket!.takeError()
    }

    /// Sends FIN. A connection that is gone already says so at the next read.
    mutating func finishWriting() {
        try? socket?.shutdownWriting()
    }

    /// Whether everything that was sent reached the peer's kernel.
    var isAcknowledged: Bool { unacknowledgedBytes == 0 }
    /// Bytes sent that have not reached it yet.
    var unacknowledgedBytes: Int { socket?.unacknowledgedBytes() ?? 0 }

    /// Closes the socket: with RST, or with FIN after what was sent.
    mutating func close(withReset: Bool) {
        guard let socket = socket.take() else { return }
        if withReset { socket.closeWithReset() } else { socket.close() }
    }
}
