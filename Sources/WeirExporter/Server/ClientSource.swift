import NetworkTypes

/// The origin of a client, as bounds count it.
struct ClientSource: Hashable, Sendable {
    private let high: UInt64
    private let low: UInt64
    private let isLocal: Bool

    /// A whole IPv4 address; of an IPv6 one the network half, because a client can choose the rest at will. Clients of
    /// Unix sockets, who have no address, are one source.
    init(_ peer: SocketAddress?) {
        guard let ip = peer?.ip else {
            (high, low, isLocal) = (0, 0, true)
            return
        }
        high = ip.high
        low = ip.isIPv4 || ip.isLoopback ? ip.low : 0
        isLocal = false
    }
}
