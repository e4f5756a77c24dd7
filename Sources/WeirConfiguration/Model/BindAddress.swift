import NetworkTypes

/// An address on which a route listens.
public enum BindAddress: Hashable, Sendable {
    /// An IP address, at the ports of the route.
    case ip(ScopedAddress)
    /// A Unix socket, which has no ports (TCP).
    case unix(UnixSocketPath)

    /// The IP address; nil for a Unix socket.
    public var ip: ScopedAddress? {
        if case .ip(let address) = self { address } else { nil }
    }

    /// The Unix socket; nil for an IP address.
    public var path: UnixSocketPath? {
        if case .unix(let path) = self { path } else { nil }
    }
}

extension BindAddress: CustomStringConvertible {
    /// As it is written: `192.0.2.1`, or `unix:/run/weir/db.sock`.
    public var description: String {
        switch self {
        case .ip(let address): address.description
        case .unix(let path): path.description
        }
    }
}
