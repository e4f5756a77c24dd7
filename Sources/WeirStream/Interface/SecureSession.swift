import LinuxIO

/// What a relay may assume of a channel's bytes. A plain TCP socket has all of it; encryption takes most of it away.
public struct ChannelTraits: OptionSet, Sendable {
    /// The set's bits.
    public let rawValue: UInt8

    /// A set of these bits.
    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Bytes can be looked at and left where they are (`MSG_PEEK`, recv(2)).
    public static let canPeek = ChannelTraits(rawValue: 1)
    /// Bytes can go through a pipe without being copied (splice(2)).
    public static let canSplice = ChannelTraits(rawValue: 2)
    /// A read that does not fill its buffer has emptied the channel: the next edge of epoll(7) tells of more.
    public static let shortReadMeansEmpty = ChannelTraits(rawValue: 4)
    /// Closing the socket sends the end of the stream by itself, so no call of its own is needed for the last one.
    public static let closeSendsEnd = ChannelTraits(rawValue: 8)
    /// How many bytes the peer's kernel has not acknowledged yet can be asked (`SIOCOUTQ`, tcp(7)).
    public static let reportsUnacknowledged = ChannelTraits(rawValue: 16)

    /// A write that does not take everything has filled the channel: the next edge of epoll(7) tells of room.
    public static let shortWriteMeansFull = ChannelTraits(rawValue: 32)

    /// A plain TCP socket.
    public static let plainSocket: ChannelTraits = [
        .canPeek, .canSplice, .shortReadMeansEmpty, .shortWriteMeansFull, .closeSendsEnd, .reportsUnacknowledged,
    ]
}

/// The outcome of one step of a handshake.
public enum HandshakeStep: Sendable, Equatable {
    /// The handshake is over: bytes can flow.
    case done
    /// The next step needs an event of the socket.
    case waiting
    /// More can be done at once, in another turn: a step takes up to two milliseconds of processor time.
    case yielded
    /// The handshake failed, or the peer is not the one that it must be. The session is of no further use.
    case failed
    /// The connection broke under the handshake.
    case broken(SystemError)
}

/// Encrypts one side of a TCP connection. The engine knows nothing more of TLS than this.
///
/// A session is confined to the worker of its connection, is given the connection's nonblocking socket with each call, and
/// neither closes it nor keeps its number. It must never block, and bounds the work of a call. The bytes that the engine
/// counts, limits and shows to hooks are those inside.
public protocol SecureSession: AnyObject {
    /// What the relay may assume; constant for the session's life.
    var traits: ChannelTraits { get }

    /// Goes on with the handshake, by one step at most.
    func handshake(on socket: borrowing Socket) -> HandshakeStep

    /// Reads decrypted bytes. `.bytes(0)` says that work was done without any, and that more can be done in another turn.
    /// `.endOfStream` is the peer's end of this direction: it may still read.
    func receive(into buffer: UnsafeMutableRawBufferPointer, from socket: borrowing Socket) -> ReadResult

    /// Encrypts and sends. Bytes that it says it took, at least one, are its own from then on; after `.wouldBlock`, which
    /// only a full socket excuses, the same bytes are offered again.
    func send(_ bytes: UnsafeRawBufferPointer, to socket: borrowing Socket) -> WriteResult

    /// Says to the peer that no more bytes follow, and goes on reading. What does not fit the socket is pending output.
    func finishWriting(on socket: borrowing Socket)

    /// Whether output that was taken, or the end, has not been given to the socket yet.
    var hasPendingOutput: Bool { get }

    /// Gives pending output to the socket.
    /// - Returns: nil where all of it is gone or the socket takes no more now; else how the connection broke.
    func flush(to socket: borrowing Socket) -> SystemError?
}
