import LinuxIO

/// A snapshot of a connection or session for the pre-dial hook. It is immutable: a hook may keep it and read it on any
/// thread, also after the client is gone.
public struct DialRequest: Sendable {
    /// See ``StreamContext/id``.
    public let id: UInt64
    /// The route's name.
    public let route: String
    /// TCP connection or UDP session.
    public let transport: Transport
    /// The client's address: the effective one, after a trusted PROXY header.
    public let clientAddress: SocketAddress
    /// See ``StreamContext/isNamedByHeader``.
    public let isNamedByHeader: Bool
    /// The sender of what we receive: the client, or the trusted proxy that named it.
    public let peerAddress: SocketAddress
    /// See ``StreamContext/localAddress``.
    public let localAddress: SocketAddress
    /// The configured upstreams, in order. ``DialDecision/dialUpstream(_:)`` chooses by this index.
    public let upstreams: [Upstream]
    /// The state that `admit` attached (see ``StreamContext/attach(_:)``).
    public let attachment: (any AnyObject & Sendable)?

    /// Creates the snapshot of an admitted client. Call it on the context's worker only.
    public init(_ context: StreamContext) {
        id = context.id
        route = context.route
        transport = context.transport
        clientAddress = context.clientAddress
        isNamedByHeader = context.isNamedByHeader
        peerAddress = context.peerAddress
        localAddress = context.localAddress
        upstreams = context.upstreams
        attachment = context.attachment
    }
}
