import LinuxIO

/// Addresses that a client has asked for, to be dialed in place of those of an upstream. The dial counts for the
/// upstream all the same; others are not tried after it.
public struct DialTarget: Sendable, Hashable {
    /// The index of the upstream in ``StreamContext/upstreams``.
    public var upstream: Int
    /// The addresses in the order in which they are tried. Listening addresses of the engine are left out, and a dial
    /// without any other fails as ``DialFailure/loop``.
    public var addresses: [SocketAddress]
    /// The limit of the dial, where it is shorter than that of the settings; nil for none.
    public var timeout: Duration?

    /// Joins the parts.
    public init(upstream: Int, addresses: [SocketAddress], timeout: Duration? = nil) {
        self.upstream = upstream
        self.addresses = addresses
        self.timeout = timeout
    }
}

/// The end of what precedes the relay, for a session that answers its client (``DialSession/dialEnded(_:on:)``).
public enum DialEnd: Sendable, Equatable {
    /// The upstream is connected: its bytes follow.
    case connected
    /// No upstream could be reached.
    case failed(DialFailure)
    /// The client was rejected before a dial.
    case rejected(RejectReason)
    /// The stream has ended meanwhile.
    case drained
}
