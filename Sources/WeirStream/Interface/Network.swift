/// The transport and the address families of a listening side, as URL schemes and configuration name them.
public enum Network: String, CaseIterable, Sendable {
    /// TCP over both families.
    case tcp
    /// TCP over IPv4.
    case tcp4
    /// TCP over IPv6 only.
    case tcp6
    /// UDP over both families.
    case udp
    /// UDP over IPv4.
    case udp4
    /// UDP over IPv6 only.
    case udp6

    /// The transport without the family.
    public var transport: Transport {
        switch self {
        case .tcp, .tcp4, .tcp6: .tcp
        case .udp, .udp4, .udp6: .udp
        }
    }

    var allowsIPv4: Bool { self != .tcp6 && self != .udp6 }
    var allowsIPv6: Bool { self != .tcp4 && self != .udp4 }
}

/// TCP or UDP.
public enum Transport: String, CaseIterable, Sendable {
    /// Connections (RFC 9293).
    case tcp
    /// Datagrams, which the engine groups into sessions (RFC 768).
    case udp
}
