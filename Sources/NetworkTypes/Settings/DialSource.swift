/// The addresses of this machine that dials come from: one of each family at most.
public struct DialSource: Hashable, Sendable {
    /// The source of dials to IPv4 addresses; nil where none is allowed.
    public let ipv4: ScopedAddress?
    /// The source of dials to IPv6 addresses; nil where none is allowed.
    public let ipv6: ScopedAddress?

    /// Fails without an address, with two of one family, and for a wildcard.
    public init?(_ addresses: [ScopedAddress]) {
        let (ipv4, ipv6) = (addresses.filter(\.ip.isIPv4), addresses.filter { !$0.ip.isIPv4 })
        guard !addresses.isEmpty, ipv4.count < 2, ipv6.count < 2, !addresses.contains(where: \.ip.isWildcard) else {
            return nil
        }
        (self.ipv4, self.ipv6) = (ipv4.first, ipv6.first)
    }

    /// The addresses, IPv4 first.
    public var addresses: [ScopedAddress] { [ipv4, ipv6].compactMap(\.self) }

    /// The source of dials to an address; nil where the address is of a family that has none.
    public func address(towards upstream: IPAddress) -> ScopedAddress? { upstream.isIPv4 ? ipv4 : ipv6 }

    /// Whether an address is of a family that has a source.
    public func reaches(_ upstream: IPAddress) -> Bool { address(towards: upstream) != nil }
}
