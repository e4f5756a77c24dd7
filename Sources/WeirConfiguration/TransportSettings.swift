import NetworkTypes

/// The settings that fit a route's transport.
public enum TransportSettings: Sendable, Hashable {
    /// Of a TCP route.
    case tcp(TCPSettings)
    /// Of a UDP route.
    case udp(UDPSettings)
}
