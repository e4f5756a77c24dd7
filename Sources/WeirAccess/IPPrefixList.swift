public import LinuxIO

/// A few blocks of addresses that stand for one thing, such as trusted proxies. Looking one up takes as many steps as
/// their number has bits.
public struct IPPrefixList: Sendable {
    // Each in the order of first addresses, none within another: at most one can hold an address. A list each, because
    // IPv4 lies in the middle of an IPv6 block that does not hold it.
    private let ipv4: [IPPrefix]
    private let ipv6: [IPPrefix]

    /// The list of these; doubles, and blocks within others, do no harm.
    public init(_ prefixes: some Sequence<IPPrefix>) {
        ipv4 = Self.disjoint(prefixes.filter(\.isIPv4))
        ipv6 = Self.disjoint(prefixes.filter { !$0.isIPv4 })
    }

    private static func disjoint(_ prefixes: [IPPrefix]) -> [IPPrefix] {
        let sorted = prefixes.sorted { left, right in
            left.network == right.network ? left.length < right.length : isOrdered(left.network, right.network)
        }
        return sorted.reduce(into: []) { kept, prefix in
            if kept.last?.contains(prefix) != true { kept.append(prefix) }
        }
    }

    /// Whether one of the blocks holds the address.
    public func contains(_ address: IPAddress) -> Bool {
        let prefixes = address.isIPv4 ? ipv4 : ipv6
        var (low, high) = (0, prefixes.count)
        while low < high {
            let middle = (low + high) / 2
            if Self.isOrdered(address, prefixes[middle].network) { high = middle } else { low = middle + 1 }
        }
        return low > 0 && prefixes[low - 1].contains(address)
    }

    private static func isOrdered(_ left: IPAddress, _ right: IPAddress) -> Bool {
        left.high == right.high ? left.low < right.low : left.high < right.high
    }
}
