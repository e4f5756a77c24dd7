import LinuxIO
import NetworkTypes

/// The decision of `admit` about a client.
public enum AdmitDecision: Sendable {
    /// Continue with the client.
    case accept
    /// End the connection or session before its dial. A TCP client gets a reset, a UDP client no answer.
    case reject(RejectReason)
}

/// The decision of `preDial`.
public enum DialDecision: Sendable {
    /// Dial the upstream that the route's policy chooses, and further choices where it cannot be reached.
    case dial
    /// Dial this index of ``DialRequest/upstreams``, and the policy's choices where it cannot be reached. An index that
    /// does not exist rejects with ``RejectReason/noUpstream``.
    case dialUpstream(Int)
    /// Dial these addresses, and nothing else. An index that does not exist rejects, likewise.
    case dialTarget(DialTarget)
    /// Do not dial.
    case reject(RejectReason)
}

/// Bytes that were just read from one side. Confined to the worker, like its context.
public struct ReadEvent {
    /// The connection or session.
    public let context: StreamContext
    /// The direction of the bytes.
    public let direction: Direction
    /// The bytes of this read, over all its datagrams.
    public let byteCount: Int
    /// 1 for TCP; for UDP the datagrams of this session in one receive.
    public let readCount: Int
}

/// The decision of `mayRead` about the next read.
public enum ReadGrant: Sendable, Equatable {
    /// Read at most this many bytes; at least 1.
    case bytes(Int)
    /// Pause this direction, and call the hook again afterwards.
    case wait(Duration)
}

/// The decision of `onRead` about bytes that were just read.
public enum ReadDecision: Sendable {
    /// Forward them and continue reading.
    case forward
    /// Forward them, then pause this direction. TCP stops reading; UDP drops the datagrams that arrive meanwhile.
    case pause(Duration)
    /// End the connection or session. The bytes just read are discarded and counted.
    case close
}

/// The hooks of a stream: the interface through which rules and metrics, of which the engine knows nothing, take part.
///
/// A hook that is nil costs nothing.
public struct StreamHooks: Sendable {
    /// Decides about a client, before any other hook, once per connection or session. Synchronous, on the worker: must
    /// not block. Where the peer is a trusted proxy it runs after the PROXY header was read, and not at all for a
    /// connection that ends before.
    ///
    /// It may attach an object to the context (``StreamContext/attach(_:)``) for the later hooks and the observer. A
    /// count that it takes for a client is released when the observer sees the end, exactly once: `rejected`,
    /// `connectionClosed` or `sessionClosed`. The stream's own limit may still reject a client that was accepted here.
    public typealias Admit = @Sendable (StreamContext) -> AdmitDecision
    /// Decides about an open session when its stream gets these hooks. Synchronous, on the worker: must not block.
    public typealias Review = @Sendable (StreamContext) -> AdmitDecision
    /// Chooses an upstream, or rejects the client, before the dial. It runs off the worker: it may wait, and delays
    /// only its own client. It gets a snapshot of the client instead of the context. An error that it throws rejects
    /// with `hook`. Its task is canceled when the client resets or ``TCPSettings/preDialTimeout`` has passed. A hook
    /// that ignores the cancellation continues to run, and its decision is ignored.
    public typealias PreDial = @concurrent @Sendable (DialRequest) async throws -> DialDecision
    /// Decides as ``PreDial`` does, where that takes no time: nil leaves it to that hook, or else to the policy.
    /// Synchronous, on the worker: must not block. It runs after the handshake of a ``MakeClientSession``, and may call
    /// ``StreamContext/nameClient(_:)``.
    public typealias Decide = @Sendable (StreamContext) -> DialDecision?
    /// Sees every read, spliced bytes included, before the bytes are forwarded. Synchronous, on the worker: must not
    /// block. Calls for one connection never overlap. A hook that limits also sets ``maxReadByteCount``.
    public typealias OnRead = @Sendable (ReadEvent) -> ReadDecision
    /// Limits the next read of a TCP connection before it happens, the first one included. Bytes that are not granted
    /// stay in the kernel, and their sender waits. The read may return fewer bytes, or none; ``OnRead`` gets their
    /// number. The end and the reset of the peer are noticed also while a direction waits. Synchronous, on the worker:
    /// must not block.
    public typealias MayRead = @Sendable (StreamContext, Direction) -> ReadGrant
    /// Decides, by its length in bytes, whether a UDP datagram is forwarded; otherwise it is dropped and counted as
    /// `bandwidth`. It runs after the read of each datagram. ``OnRead`` then sees the remaining ones, a batch at a
    /// time. Synchronous, on the worker: must not block.
    public typealias PoliceDatagram = @Sendable (StreamContext, Direction, _ byteCount: Int) -> Bool

    /// Decides whether a peer may, and so must, send a PROXY header. Synchronous, on the worker: must not block. It
    /// runs for each new peer of a stream in ``ProxyProtocolMode/mixed`` or ``ProxyProtocolMode/required``, and for
    /// each datagram where every one has a header. Without the hook, the trusted proxies of ``ProxyProtocolSettings``
    /// decide.
    public typealias IsTrustedProxy = @Sendable (IPAddress) -> Bool

    /// Creates the policy that chooses among the members of a route's set, for one worker. Called on that worker when
    /// the route starts and with each update. The earlier policy lives as long as the connections and sessions that use
    /// it.
    public typealias MakeSelector = @Sendable (_ members: [UpstreamMember], _ worker: Int) -> any UpstreamSelector
    /// Creates the session that encrypts the client's side of a TCP connection. Synchronous, on the worker, after the
    /// client was admitted. The handshake precedes ``PreDial`` and the dial. One that fails, or takes longer than
    /// ``TCPSettings/handshakeTimeout``, rejects the client as ``RejectReason/tls``.
    public typealias MakeClientSession = @Sendable (StreamContext) -> any SecureSession
    /// Decides about a client after the handshake of its session, with what the handshake has proved, such as the names
    /// in a verified certificate. Synchronous, on the worker, before ``PreDial``: must not block. Resumed sessions are
    /// judged like others. It runs for no client that ``Admit`` rejects or whose handshake fails. The client of a
    /// rejection gets a reset.
    public typealias AdmitSecured = @Sendable (StreamContext, any SecureSession) -> AdmitDecision
    /// Creates the session that encrypts the upstream's side. Synchronous, on the worker, for each upstream that is
    /// connected. The handshake belongs to the dial and to its timeout: one that fails is a failed dial with
    /// ``DialFailure/tls``. A PROXY header precedes it, unencrypted.
    public typealias MakeUpstreamSession = @Sendable (StreamContext, Upstream) -> any SecureSession

    /// Returns the tunnel to an upstream behind an agent (``Upstream/behindAgent``); nil where there is none, and then no
    /// dial succeeds. Called when the stream starts, and with each update. Synchronous, on the worker.
    public typealias MakeTunnel = @Sendable (Upstream, _ worker: Int) -> (any UpstreamTunnel)?

    /// See ``Admit``.
    public var admit: Admit?
    /// See ``Review``. UDP only, because sessions have no end of their own; open TCP connections are not reviewed. It
    /// is separate from ``admit``, which may count, because a session is counted once. A rejected session ends as
    /// ``SessionCloseReason/routeRemoved``, or before its dial with the given reason.
    public var review: Review?
    /// See ``Decide``.
    public var decide: Decide?
    /// See ``PreDial``.
    public var preDial: PreDial?
    /// See ``MakeSelector``. Nil dials the upstreams in their order.
    public var makeSelector: MakeSelector?
    /// See ``MayRead``. Nil is no limit except ``maxReadByteCount``.
    public var mayRead: MayRead?
    /// See ``OnRead``.
    public var onRead: OnRead?
    /// See ``PoliceDatagram``.
    public var policeDatagram: PoliceDatagram?
    /// The limit of one read or splice in bytes, for an `onRead` that limits; nil is no limit.
    public var maxReadByteCount: Int?
    /// See ``IsTrustedProxy``.
    public var isTrustedProxy: IsTrustedProxy?
    /// See ``MakeClientSession``. TCP only; nil is no encryption.
    public var clientSession: MakeClientSession?
    /// See ``AdmitSecured``. It needs a ``clientSession``.
    public var admitSecured: AdmitSecured?
    /// See ``MakeUpstreamSession``. TCP only; nil is no encryption.
    public var upstreamSession: MakeUpstreamSession?
    /// See ``MakeTunnel``. TCP only.
    public var tunnel: MakeTunnel?
    /// Receives the stream's events.
    public var observer: (any StreamObserver)?

    /// Creates a set of hooks; the default has none.
    public init(
        admit: Admit? = nil, review: Review? = nil, preDial: PreDial? = nil,
        makeSelector: MakeSelector? = nil, mayRead: MayRead? = nil, onRead: OnRead? = nil,
        policeDatagram: PoliceDatagram? = nil, maxReadByteCount: Int? = nil, isTrustedProxy: IsTrustedProxy? = nil,
        observer: (any StreamObserver)? = nil
    ) {
        self.admit = admit
        self.review = review
        self.preDial = preDial
        self.makeSelector = makeSelector
        self.mayRead = mayRead
        self.onRead = onRead
        self.policeDatagram = policeDatagram
        self.maxReadByteCount = maxReadByteCount
        self.isTrustedProxy = isTrustedProxy
        self.observer = observer
    }
}
