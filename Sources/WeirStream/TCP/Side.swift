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
    /// Urgent data has come: a read may stop short at it, and a splice never passes it.
    private(set) var sawUrgent = false
    /// It broke: nothing more can be written to it. What it sent before can still be read.
    var isBroken = false

    /// epoll reported an error, which no call has told yet.
    var hasError = false

    /// What was postponed on a socket that we connected, because many connections end before they need it.
    private var postpones = false
    private var isFirstWrite = true
    /// Whether ACKs wait for data to go with, because the answer is likely to come in one piece.
    private var expectsSingleAnswer = false

    /// From this length on a first write may end in a segment that Nagle's algorithm would hold back (RFC 896).
    private static let longWrite = 1024

    init(socket: consuming Socket? = nil) {
        self.socket = socket
    }

    /// A socket that we connected.
    init(dialled socket: consuming Socket, expectsSingleAnswer: Bool) {
        self.socket = consume socket
        postpones = true
        self.expectsSingleAnswer = expectsSingleAnswer
    }

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
        return unsafe socket!.send(bytes, more: more)
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
        return pipe.drain(to: socket!)
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
