import LinuxIO

// Proof: everything is immutable but `attachment` and `upstreamAddress`. Both are written only on the worker's thread:
// `attachment` before the context is handed to any other thread (starting the task of `preDial` orders the write before
// its reads), `upstreamAddress` after `preDial` has returned. Observers and the other hooks run on the worker itself.
/// One connection or session, as hooks and observers see it.
///
/// It is made when the client arrives and stays the same object until the end, so that a hook can hang its own state on
/// it (see ``attach(_:)``).
public final class StreamContext: @unchecked Sendable {
    /// A number that no other connection or session of this process has: worker and sequence.
    public let id: UInt64
    /// The route's name.
    public let route: String
    /// TCP connection or UDP session.
    public let transport: Transport
    /// The client's address: the effective one, after a trusted PROXY header.
    public let clientAddress: SocketAddress
    /// Our address that the client spoke to; with a wildcard bind on TCP the bound one.
    public let localAddress: SocketAddress
    /// The configured upstreams, in order. ``DialDecision/dialUpstream(_:)`` chooses by this index.
    public let upstreams: [Upstream]
    /// The worker that carries it: 0 up to the engine's worker count.
    public let worker: Int

    /// The upstream's address once dialled; only meaningful on the worker (hooks and observers).
    public internal(set) var upstreamAddress: SocketAddress?
    /// What ``attach(_:)`` left here.
    public private(set) var attachment: (any AnyObject & Sendable)?

    init(
        id: UInt64, route: String, transport: Transport, clientAddress: SocketAddress, localAddress: SocketAddress,
        upstreams: [Upstream], worker: Int
    ) {
        self.id = id
        self.route = route
        self.transport = transport
        self.clientAddress = clientAddress
        self.localAddress = localAddress
        self.upstreams = upstreams
        self.worker = worker
    }

    /// Hangs a hook's own state on the connection or session. Only from `admit`, which runs first of all and on the
    /// worker; every later hook finds it in ``attachment``.
    public func attach(_ state: any AnyObject & Sendable) {
        attachment = state
    }
}
