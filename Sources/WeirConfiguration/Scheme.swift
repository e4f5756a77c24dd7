/// The protocol that a route carries.
public enum Transport: String, Sendable, Hashable, CaseIterable {
    /// Connections.
    case tcp
    /// Sessions of datagrams.
    case udp
}

/// The address families on which a route listens. The dial takes what the upstream's name gives.
public enum AddressFamily: Sendable, Hashable {
    /// IPv4 and IPv6.
    case any
    /// IPv4 only.
    case ipv4
    /// IPv6 only.
    case ipv6
}

/// `scheme:` of a route: its transport and the address families of its listener.
public enum Scheme: String, Sendable, Hashable, CaseIterable {
    /// TCP over both families.
    case tcp
    /// TCP over IPv4.
    case tcp4
    /// TCP over IPv6.
    case tcp6
    /// UDP over both families.
    case udp
    /// UDP over IPv4.
    case udp4
    /// UDP over IPv6.
    case udp6

    /// What the route carries.
    public var transport: Transport {
        switch self {
        case .tcp, .tcp4, .tcp6: .tcp
        case .udp, .udp4, .udp6: .udp
        }
    }

    /// Where the route listens.
    public var family: AddressFamily {
        switch self {
        case .tcp, .udp: .any
        case .tcp4, .udp4: .ipv4
        case .tcp6, .udp6: .ipv6
        }
    }
}
