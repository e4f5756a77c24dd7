/// TCP or UDP.
public enum Transport: String, CaseIterable, Sendable {
    /// Connections (RFC 9293).
    case tcp
    /// Datagrams, which the engine groups into sessions (RFC 768).
    case udp
}

/// The transport and the address families of a listening side, as URL schemes and `scheme:` of a configuration name
/// them.
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

    /// Whether IPv4 addresses belong to it.
    public var allowsIPv4: Bool { self != .tcp6 && self != .udp6 }
    /// Whether IPv6 addresses belong to it.
    public var allowsIPv6: Bool { self != .tcp4 && self != .udp4 }
    /// Every address of its families: `[::]` also stands for `0.0.0.0` where both belong to it.
    public var wildcard: IPAddress { allowsIPv6 ? .anyIPv6 : .anyIPv4 }

    /// The network without IPv4.
    public var withoutIPv4: Network { transport == .tcp ? .tcp6 : .udp6 }

    /// Whether the address is of one of its families.
    public func allows(_ ip: IPAddress) -> Bool { ip.isIPv4 ? allowsIPv4 : allowsIPv6 }

    /// Whether one IPv6 socket that is bound to the address takes the clients of both families (`IPV6_V6ONLY` off,
    /// ipv6(7)).
    public func isDualStack(at ip: IPAddress) -> Bool { ip == .anyIPv6 && allowsIPv4 && allowsIPv6 }
}
