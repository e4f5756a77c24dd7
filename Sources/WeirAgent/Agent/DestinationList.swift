public import NetworkTypes

/// The destinations that an agent may dial. They are judged by the address that is dialed, never by a name. Pure.
public struct DestinationList: Sendable, Equatable {
    /// The entries in the order of the configuration.
    public let entries: [AllowedDestination]

    /// Creates a list; an empty one allows nothing.
    public init(_ entries: [AllowedDestination]) {
        self.entries = entries
    }

    /// The first entry that allows a destination, by its index; nil where none does.
    public func index(allowing address: SocketAddress, over transport: Transport) -> Int? {
        guard !address.isUnix, let ip = Self.reached(by: address.ip) else { return nil }
        return entries.firstIndex { entry in
            entry.transport == transport && entry.ports.contains(address.port) && entry.block.contains(ip)
                && Self.isMeant(ip, by: entry.block)
        }
    }

    /// The addresses that a dial may use: those that the first entry allows which allows any. Nil where there is none.
    public func choose(
        _ addresses: [SocketAddress], over transport: Transport
    ) -> (index: Int, addresses: [SocketAddress])? {
        let indices = addresses.map { index(allowing: $0, over: transport) }
        guard let index = indices.lazy.compactMap(\.self).first else { return nil }
        return (index, zip(addresses, indices).filter { $0.1 == index }.map(\.0))
    }

    /// The address that a packet to `ip` arrives at in the end: the IPv4 address inside of one that a translator takes
    /// (64:ff9b::/96, RFC 6052 section 2.1). Nil for addresses that no entry can allow: `0.0.0.0` and `::`, with which
    /// Linux connects to itself, the rest of 0.0.0.0/8 (RFC 1122 section 3.2.1.3), and loopback behind a translator.
    private static func reached(by ip: IPAddress) -> IPAddress? {
        let reached = ip.isTranslated ? ip.dialed : ip
        if reached == .anyIPv6 || reached.isIPv4 && reached.v4Bits >> 24 == 0 { return nil }
        return ip.isTranslated && reached.isLoopback ? nil : reached
    }

    /// The metadata service of a cloud by IPv6.
    private static let metadata = IPAddress(high: 0xfd00_0ec2_0000_0000, low: 0x254)

    /// Whether a block is allowed to hold an address by chance. Link-local addresses, where clouds have their metadata
    /// service, are only meant by entries for them.
    private static func isMeant(_ ip: IPAddress, by block: IPPrefix) -> Bool {
        if ip == metadata { return block.length == 128 }
        guard ip.isLinkLocal else { return true }
        return block.length >= (block.isIPv4 ? 16 : 10)
    }
}
