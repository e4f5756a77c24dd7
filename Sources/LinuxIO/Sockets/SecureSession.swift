/// The properties of a channel that the relay relies on. A plain TCP socket has all of them, an encrypted channel few.
public struct ChannelTraits: OptionSet, Sendable {
    /// The set's bits.
    public let rawValue: UInt8

    /// Creates a set from its bits.
    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// A read can leave the bytes in the socket (`MSG_PEEK`, recv(2)).
    public static let canPeek = ChannelTraits(rawValue: 1)
    /// Bytes can move through a pipe without a copy (splice(2)).
    public static let canSplice = ChannelTraits(rawValue: 2)
    /// A read that does not fill its buffer has emptied the channel: the next edge of epoll(7) reports new bytes.
    public static let shortReadMeansEmpty = ChannelTraits(rawValue: 4)
    /// Closing the socket sends the end of the stream, so the last end needs no shutdown(2).
    public static let closeSendsEnd = ChannelTraits(rawValue: 8)
    /// The kernel reports the bytes that the peer has not acknowledged yet (`SIOCOUTQ`, tcp(7)).
    public static let reportsUnacknowledged = ChannelTraits(rawValue: 16)

    /// A write that accepts less than all has filled the channel: the next edge of epoll(7) reports room.
    public static let shortWriteMeansFull = ChannelTraits(rawValue: 32)

    /// The traits of a plain TCP socket.
    public static let plainSocket: ChannelTraits = [
        .canPeek, .canSplice, .shortReadMeansEmpty, .shortWriteMeansFull, .closeSendsEnd, .reportsUnacknowledged,
    ]
}

/// The outcome of one step of a handshake.
public enum HandshakeStep: Sendable, Equatable {
    /// The handshake has succeeded: bytes can flow.
    case done
    /// The next step needs an event of the socket.
    case waiting
    /// The next step can run in another turn, without an event. One step takes up to two milliseconds of processor
    /// time.
    case yielded
    /// Bytes can flow, and yet a later step may find that the peer refuses. The engine goes on with the handshake of an
    /// upstream until the first bytes of either side come, but for no longer than this time, or half of what is left
    /// for the dial where that is less. Elsewhere it is as ``done``: with a client, in the exporter and in health
    /// checks.
    case doneUnlessRefused(within: Duration)
    /// The handshake failed, or the peer could not be verified. The session makes no further calls.
    case failed
    /// The client closed before its first byte, as health checks do that only connect. No failure.
    case unused
    /// The session ends its peer for a reason of its own, and has said so itself. Only a client's session can.
    case refused
    /// The connection failed during the handshake.
    case broken(SystemError)
}

/// Encrypts a stream over a socket. The engine, the exporter and health checks know nothing more of TLS than this.
///
/// A session is confined to the thread of its connection. Each call gets the connection's nonblocking socket; the
/// session neither closes it nor keeps its number. No call blocks, and each bounds its work. The engine counts, limits
/// and shows to hooks the decrypted bytes.
public protocol SecureSession: AnyObject {
    /// The properties that the relay relies on. They are constant for the session's life.
    var traits: ChannelTraits { get }

    /// Performs at most one step of the handshake.
    func handshake(on socket: borrowing Socket) -> HandshakeStep

    /// Reads decrypted bytes. `.bytes(0)` means that the call did work that gave no bytes, and that another turn can do
    /// more. `.endOfStream` is the peer's end of this direction: the peer may still read.
    func receive(into buffer: UnsafeMutableRawBufferPointer, from socket: borrowing Socket) -> ReadResult

    /// Whether the last read has emptied the socket although it returned bytes: the next edge of epoll(7) reports what
    /// follows them.
    var hasEmptiedSocket: Bool { get }

    /// The owner ends the handshake, because it takes too long.
    func handshakeTimedOut()

    /// Refuses a client whose hello names another server than this, which the owner has read in it before: a host name
    /// in lower case, or none where it is empty. Call it before the first step.
    func expect(serverName: [UInt8])

    /// Whether the peer has shown a certificate, which was verified. After the handshake.
    var hasPeerCertificate: Bool { get }

    /// The DNS names in the peer's verified certificate, in lower case; a common name is none. After the handshake.
    /// Each call reads the certificate.
    var peerNames: [String] { get }

    /// The facts of the handshake, after it, for headers and logs; nil where there are none. Each call makes an object.
    var facts: SecureSessionFacts? { get }

    /// Encrypts and sends bytes. The session owns the bytes that it reports as accepted, at least one. It returns
    /// `.wouldBlock` only where the socket is full; the engine then offers the same bytes again.
    func send(_ bytes: UnsafeRawBufferPointer, to socket: borrowing Socket) -> WriteResult

    /// Tells the peer that no more bytes follow, and continues reading. Bytes that do not fit the socket become pending
    /// output.
    func finishWriting(on socket: borrowing Socket)

    /// Whether accepted bytes, or the end, still wait to be written to the socket.
    var hasPendingOutput: Bool { get }

    /// Writes pending output to the socket.
    /// - Returns: nil where all of it is written or the socket is full; otherwise the error that ended the connection.
    func flush(to socket: borrowing Socket) -> SystemError?
}

extension SecureSession {
    /// False: another read shows it.
    public var hasEmptiedSocket: Bool { false }

    /// Does nothing.
    public func handshakeTimedOut() {}

    /// Does nothing.
    public func expect(serverName: [UInt8]) {}

    /// False.
    public var hasPeerCertificate: Bool { false }

    /// None.
    public var peerNames: [String] { [] }

    /// Nil.
    public var facts: SecureSessionFacts? { nil }
}
