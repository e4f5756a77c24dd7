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

/// The hooks of a stream: the engine's only outward face. It knows neither rules nor metrics.
///
/// No hook costs anything where it is nil.
public struct StreamHooks: Sendable {
    /// Decides over a client, first of all, once per connection or session. Synchronous, on the worker: never blocks.
    /// Where the peer is a trusted proxy it is asked once the header is there; a connection that ends before that never
    /// comes here.
    ///
    /// It may hang an object on the context (``StreamContext/attach(_:)``), which the later hooks and the observer find
    /// there. What it takes for a client is given back when the observer is told of the end, which happens once:
    /// `rejected`, `connectionClosed` or `sessionClosed`. A stream's own limit may still reject what was accepted here.
    public typealias Admit = @Sendable (StreamContext) -> AdmitDecision
    /// Decides about an open session when its stream gets these hooks. Synchronous, on the worker: must not block.
    public typealias Review = @Sendable (StreamContext) -> AdmitDecision
    /// Runs before the dial, never on the worker: may wait for others, and holds up only its own client. It gets a
    /// snapshot of its client, not the worker's context. It chooses
    /// among the upstreams, or rejects; an error it throws rejects with `hook`. It is canceled when the client resets
    /// or ``TCPSettings/preDialTimeout`` is over: a hook that does not heed that runs on, and its decision is ignored.
    public typealias PreDial = @concurrent @Sendable (DialRequest) async throws -> DialDecision
    /// Sees every read, before the bytes are passed on, spliced bytes included. Synchronous, on the worker: never
    /// blocks, and is never called twice at once for one connection. One that limits also sets ``largestRead``.
    public typealias OnRead = @Sendable (ReadEvent) -> ReadDecision
    /// TCP only. Says how many bytes the next read may bring, before it happens, the first one included. Bytes that are
    /// not granted stay in the kernel, and their sender waits. The read may bring fewer, or none; ``OnRead`` hears how
    /// many. While a direction waits, the end and the reset of its peer are seen nevertheless. Synchronous, on the
    /// worker: never blocks.
    public typealias MayRead = @Sendable (StreamContext, Direction) -> ReadGrant
    /// UDP only. Says of each datagram, by its length, whether it may pass; one that may not is dropped, and counted as
    /// `bandwidth`. Asked when the datagram has been read, before ``OnRead``, which then sees those that pass, a batch
    /// at a time. Synchronous, on the worker: never blocks.
    public typealias Police = @Sendable (StreamContext, Direction, _ byteCount: Int) -> Bool

    /// Says whether a peer may, and so must, send a PROXY header. Synchronous, on the worker; asked for each new peer
    /// of a stream that has ``ProxyProtocolMode/mixed`` or ``ProxyProtocolMode/required``, and for each datagram where
    /// every one has a header. Without it the trusted proxies of ``ProxyProtocolSettings`` decide.
    public typealias IsTrustedProxy = @Sendable (IPAddress) -> Bool

    /// Makes the policy that chooses among the members of a route's set, for one worker. Called on that worker when the
    /// route begins, and anew with each update of it; the policy made before lives as long as anything that it chose
    /// for.
    public typealias MakeSelector = @Sendable (_ members: [UpstreamMember], _ worker: Int) -> any UpstreamSelector
    /// Makes the session that encrypts the client's side of a TCP connection. Synchronous, on the worker; called once
    /// the client is admitted. The handshake comes before ``PreDial`` and the dial; one that fails, or takes longer
    /// than ``TCPSettings/handshakeTimeout``, rejects the client as ``RejectReason/tls``.
    public typealias MakeClientSession = @Sendable (StreamContext) -> any SecureSession
    /// Makes the session that encrypts the upstream's side. Synchronous, on the worker; called when the upstream is
    /// connected, for each one that is tried. The handshake is a part of the dial and of its time; one that fails is a
    /// dial that failed as ``DialFailure/tls``. A PROXY header goes out in clear before it.
    public typealias MakeUpstreamSession = @Sendable (StreamContext, Upstream) -> any SecureSession

    /// See ``Admit``.
    public var admit: Admit?
    /// See ``Review``. UDP only, whose sessions have no end of their own: TCP connections stay as they were admitted.
    /// Apart from ``admit``, because that may count, and a session is counted once. One that is rejected ends as
    /// ``SessionCloseReason/routeRemoved``, or before its dial with the reason that is given.
    public var review: Review?
    /// See ``PreDial``.
    public var preDial: PreDial?
    /// See ``MakeSelector``; nil dials the upstreams in their order.
    public var makeSelector: MakeSelector?
    /// See ``MayRead``; nil is no limit but ``largestRead``.
    public var mayRead: MayRead?
    /// See ``OnRead``.
    public var onRead: OnRead?
    /// See ``Police``.
    public var police: Police?
    /// The most bytes one read may bring, for an `onRead` that limits: a read, or a splice, cannot overshoot it.
    public var largestRead: Int?
    /// See ``IsTrustedProxy``.
    public var isTrustedProxy: IsTrustedProxy?
    /// See ``MakeClientSession``. TCP only; nil is bytes in clear.
    public var clientSession: MakeClientSession?
    /// See ``MakeUpstreamSession``. TCP only; nil is bytes in clear.
    public var upstreamSession: MakeUpstreamSession?
    /// Sees what happens; decides nothing.
    public var observer: (any StreamObserver)?

    /// No hooks, or these.
    public init(
        admit: Admit? = nil, review: Review? = nil, preDial: PreDial? = nil,
        makeSelector: MakeSelector? = nil, mayRead: MayRead? = nil, onRead: OnRead? = nil,
        police: Police? = nil, largestRead: Int? = nil, isTrustedProxy: IsTrustedProxy? = nil,
        observer: (any StreamObserver)? = nil
    ) {
        self.admit = admit
        self.review = review
        self.preDial = preDial
        self.makeSelector = makeSelector
        self.mayRead = mayRead
        self.onRead = onRead
        self.police = police
        self.largestRead = largestRead
        self.isTrustedProxy = isTrustedProxy
        self.observer = observer
    }
}
