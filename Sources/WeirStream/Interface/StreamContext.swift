import LinuxIO
import NetworkTypes

/// One connection or session, as the synchronous hooks and the observer see it.
///
/// It is created when the client arrives and stays the same object until the end, so that a hook can attach its own
/// state (see ``attach(_:)``). Confined to its worker: ``StreamHooks/PreDial``, which runs elsewhere, gets a
/// ``DialRequest`` instead.
public final class StreamContext {
    /// A number that is unique in this process: the worker in the upper 16 bits, a sequence number below.
    public let id: UInt64
    /// The route's name.
    public var route: String { identity.name }
    /// TCP connection or UDP session.
    public let transport: Transport
    /// Whether a PROXY header must come first: until it is read, the client is not known.
    public private(set) var awaitsProxyHeader: Bool
    // Declared here it fits into padding, and there is a context for every connection.
    private let workerIndex: UInt16
    /// The dials since the last one that succeeded, that one included: 1 where the first choice was reached. At most
    /// 255.
    public private(set) var dialCount: UInt8 = 0
    private var upstreamNumber = UInt16.max
    /// The client's address: the effective one, after a trusted PROXY header.
    public private(set) var clientAddress: SocketAddress
    /// The address that the client connected or sent to: the local one (the bound one for a TCP wildcard bind), or the
    /// one that a trusted PROXY header names.
    public private(set) var localAddress: SocketAddress
    /// The configured upstreams, in order. ``DialDecision/dialUpstream(_:)`` chooses by this index.
    public var upstreams: [Upstream] { identity.upstreams }
    private let identity: RouteIdentity
    /// The worker that carries it: 0 up to the engine's worker count.
    public var worker: Int { Int(workerIndex) }

    /// The index of the upstream that the dial has reached, in ``upstreams``; nil before.
    public internal(set) var upstream: Int? {
        get { upstreamNumber == .max ? nil : Int(upstreamNumber) }
        set { upstreamNumber = newValue.map { UInt16(clamping: $0) } ?? .max }
    }
    /// The upstream's address; nil until the dial has succeeded.
    public internal(set) var upstreamAddress: SocketAddress?
    /// The state that ``attach(_:)`` stored.
    public private(set) var attachment: (any AnyObject & Sendable)?
    /// The state that ``reserve(_:)`` stored.
    package private(set) var reservation: (any AnyObject & Sendable)?
    /// Boxed to keep the common context small.
    private var extras: ClientExtras?

    /// Whether a PROXY header named the client: ``clientAddress`` is then the proxy's claim. A loopback address, or an
    /// address of this machine, then does not prove that the client is local. False for a header without addresses
    /// (version 1 `UNKNOWN`, version 2 `LOCAL`): the peer itself is the client.
    public var isNamedByHeader: Bool { extras?.proxyAddress != nil }
    /// The address at the other end of the socket: the client's, or that of the proxy that named it.
    public var peerAddress: SocketAddress { extras?.proxyAddress ?? clientAddress }
    /// The server name in the hello by which a shared listener chose the route, in lower case; empty where the hello
    /// has none, and nil where there was none. The client's word: nothing has proved it.
    public var serverName: [UInt8]? { extras?.serverName }
    /// The facts of the client's handshake, where the route encrypts that side; nil before its end.
    public var sessionFacts: SecureSessionFacts? { extras?.facts }

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

    /// Applies the peer's PROXY header. Call it only before any hook has seen the context.
    func adopt(_ header: ProxyHeader) {
        awaitsProxyHeader = false
        if let addresses = header.addresses { nameClient(addresses) }
    }

    /// Keeps the server name of the client's hello.
    func adopt(serverName: [UInt8]) {
        let extras = extras ?? ClientExtras()
        extras.serverName = serverName
        self.extras = extras
    }

    /// Keeps the facts of the client's handshake.
    func adopt(_ facts: SecureSessionFacts) {
        let extras = extras ?? ClientExtras()
        extras.facts = facts
        self.extras = extras
    }

    /// A connection or session that was served needs another upstream: its dials are no retries of the first.
    func dialsBeginAnew() { dialCount = 0 }

    /// Counts a dial. The first one after a success begins anew.
    func dialBegins(isFirst: Bool) {
        dialCount = isFirst ? 1 : dialCount == .max ? .max : dialCount + 1
    }

    /// Names the client behind the peer, which the peer itself has told: ``peerAddress`` stays the address of the
    /// connection. Call it only from ``StreamHooks/Decide``, on the worker.
    public func nameClient(_ addresses: ProxyHeader.Addresses) {
        let extras = extras ?? ClientExtras()
        extras.proxyAddress = peerAddress
        self.extras = extras
        clientAddress = addresses.source
        localAddress = addresses.destination
    }

    /// Attaches a hook's own state to the connection or session. Call it only from `admit`, or where a client's session
    /// is made, which run first and on the worker; every later hook finds the state in ``attachment``.
    public func attach(_ state: any AnyObject & Sendable) {
        attachment = state
    }

    /// Keeps the client's share of the limits until the end of the context. It is separate from the attachment, which
    /// belongs to the program's own hooks. Call it only from `admit`.
    package func reserve(_ ticket: any AnyObject & Sendable) {
        reservation = ticket
    }
}

/// The values that all contexts of a route share, in one object, so that a context holds one reference.
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

/// The values that few clients have.
private final class ClientExtras {
    /// The proxy that named the client.
    var proxyAddress: SocketAddress?
    var facts: SecureSessionFacts?
    var serverName: [UInt8]?
}

// A context stays on its worker: nothing else protects its mutable state.
@available(*, unavailable)
extension StreamContext: Sendable {}
