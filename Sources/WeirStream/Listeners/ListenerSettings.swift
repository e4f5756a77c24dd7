import NetworkTypes

/// How a TCP listener treats its clients before a route has them: what the kernel's listening socket hands on, and what
/// must come first. A change applies to clients that are accepted from then on.
public struct ListenerSettings: Hashable, Sendable {
    /// Kernel probes of the clients; nil is off.
    public var keepalive: Keepalive?
    /// `TCP_USER_TIMEOUT` of the clients; nil is the kernel's default.
    public var userTimeout: Duration?
    /// How long the kernel holds a connection until its first byte (`TCP_DEFER_ACCEPT`, whole seconds); nil is off.
    public var deferAccept: Duration?
    /// How many connections may bring data before their handshake is over (`TCP_FASTOPEN`, RFC 7413); nil is off.
    public var fastOpen: Int?
    /// The PROXY headers that clients begin with.
    public var proxyProtocol: ProxyProtocolSettings
    /// How long a whole header may take to come.
    public var proxyHeaderTimeout: Duration
    /// How long a listener with a table waits for the first bytes that choose a route.
    public var helloTimeout: Duration = .seconds(5)
    /// How many clients a listener with a table may have that have not chosen yet; nil is a quarter of the connections
    /// that the process may carry.
    public var maxUndecided: Int?

    /// The part of a route's settings that its own listeners have; the defaults of routes where none are given.
    public init(_ settings: TCPSettings = TCPSettings()) {
        keepalive = settings.keepalive
        userTimeout = settings.userTimeout
        deferAccept = settings.deferAccept
        fastOpen = settings.fastOpen
        proxyProtocol = settings.proxyProtocol
        proxyHeaderTimeout = settings.proxyHeaderTimeout
    }
}
