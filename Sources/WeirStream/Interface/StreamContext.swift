import LinuxIO
import NetworkTypes

/// One connection or session, as the synchronous hooks and the observer see it.
///
/// It is made when the client arrives and stays the same object until the end, so that a hook can hang its own state on
/// it (see ``attach(_:)``). Confined to its worker: ``StreamHooks/PreDial``, which runs elsewhere, gets a
/// ``DialRequest`` instead.
public final class StreamContext {
    /// A number that no other connection or session of this process has: worker and sequence.
    public let id: UInt64
    /// The route's name.
    public var route: String { identity.name }
    /// TCP connection or UDP session.
    public let transport: Transport
    /// Whether a PROXY header must come first: until it is there, the client is not known.
    public private(set) var awaitsProxyHeader: Bool
    // Here it takes no room of its own, and there is a context for every connection.
    private let workerIndex: UInt16
    /// The client's address: the effective one, after a trusted PROXY header.
    public private(set) var clientAddress: SocketAddress
    /// The address that the client spoke to: ours (with a wildcard bind on TCP the bound one), or the one that a trusted
    /// PROXY header names.
    public private(set) var localAddress: SocketAddress
    /// The configured upstreams, in order. ``DialDecision/dialUpstream(_:)`` chooses by this index.
    public var upstreams: [Upstream] { identity.upstreams }
    private let identity: RouteIdentity
    /// The worker that carries it: 0 up to the engine's worker count.
    public var worker: Int { Int(workerIndex) }

    /// The upstream's address once dialed.
    public internal(set) var upstreamAddress: SocketAddress?
    /// What ``attach(_:)`` left here.
    public private(set) var attachment: (any AnyObject & Sendable)?
    /// What ``reserve(_:)`` left here.
    package private(set) var reservation: (any AnyObject & Sendable)?
    /// Who the peer is, where that is not the client. An object, because few contexts need it.
    private var proxy: ProxyPeer?

    /// Whether a PROXY header named the client: ``clientAddress`` is then the proxy's word. Where it is a loopback address, or
    /// one of this machine, that says nothing of this machine. False for a header without addresses (version 1 `UNKNOWN`,
    /// version 2 `LOCAL`), behind which the peer itself is the client.
    public var isNamedByHeader: Bool { proxy != nil }
    /// Who sends to us: the client, or the proxy that named it.
    public var peerAddress: SocketAddress { proxy?.address ?? clientAddress }

    init(
        id: UInt64, route: RouteIdentity, transport: Transport, clientAddress: SocketAddress,
        localAddress: SocketAddress, worker: Int, awaitsProxyHeader: Bool = false
    ) {
        self.id = id
        identity = route
        self.transport = transport
        self.awaitsProxyHeader = awaitsProxyHeader
        self.clientAddress = clientAddress
        self.localAddress = localAddress
        workerIndex = UInt16(worker)
    }

    /// A header of the peer's is there. Only before any hook has seen the context.
    func adopt(_ header: ProxyHeader) {
        awaitsProxyHeader = false
        guard let addresses = header.addresses else { return }
        proxy = ProxyPeer(clientAddress)
        clientAddress = addresses.source
        localAddress = addresses.destination
    }

    /// Hangs a hook's own state on the connection or session. Only from `admit`, which runs first of all and on the
    /// worker; every later hook finds it in ``attachment``.
    public func attach(_ state: any AnyObject & Sendable) {
        attachment = state
    }

    /// Keeps what limits have taken for the client, until the end of the context. Apart from the attachment, which belongs
    /// to the program's own hooks. Only from `admit`.
    package func reserve(_ ticket: any AnyObject & Sendable) {
        reservation = ticket
    }
}

/// The values that every context of a route has in common: one object, so that a context has one reference to it.
final class RouteIdentity {
    /// The route's name.
    let name: String
    /// The configured upstreams, in order.
    let upstreams: [Upstream]

    init(name: String, upstreams: [Upstream]) {
        self.name = name
        self.upstreams = upstreams
    }
}

/// The peer behind which a client stands.
private final class ProxyPeer {
    let address: SocketAddress

    init(_ address: SocketAddress) {
        self.address = address
    }
}

// It stays on its worker: its mutable parts have no other protection.
@available(*, unavailable)
extension StreamContext: Sendable {}
