import NetworkTypes

/// The settings that fit a route's transport.
public enum TransportSettings: Sendable, Hashable {
    /// The settings of a TCP route.
    case tcp(TCPSettings)
    /// The settings of a UDP route.
    case udp(UDPSettings)
}
