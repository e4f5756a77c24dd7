public import NetworkTypes

/// Many blocks of addresses, and the smallest of them around an address. Immutable; IPv4 and IPv6 apart.
public struct PrefixTable: Sendable {
    private let v4: RangeTable<UInt32>
    private let v6: RangeTable<UInt128>

    /// The blocks with the number that each stands for. Where one comes twice, the smaller number counts.
    public init(_ blocks: some Sequence<(prefix: IPPrefix, value: UInt32)>) {
        var v4: [RangeTable<UInt32>.Block] = []
        var v6: [RangeTable<UInt128>.Block] = []
        for (prefix, value) in blocks {
            if prefix.isIPv4 {
                // Swift's shifts give zero where they shift everything out.
                let first = prefix.network.v4Bits
                v4.append(.init(first: first, last: first | (UInt32.max >> prefix.length), value: value))
            } else {
                let first = prefix.network.bits
                v6.append(.init(first: first, last: first | (UInt128.max >> prefix.length), value: value))
            }
        }
        self.v4 = RangeTable(v4)
        self.v6 = RangeTable(v6)
    }

    /// The number of the smallest block that holds the address.
    public func value(around address: IPAddress) -> UInt32? {
        address.isIPv4 ? v4.value(at: address.v4Bits) : v6.value(at: address.bits)
    }
}

extension IPAddress {
    /// All bits as one number.
    var bits: UInt128 { UInt128(high) << 64 | UInt128(low) }
}
