public import NetworkTypes

/// Blocks of addresses that stand for one thing, such as trusted proxies.
public struct IPPrefixList: Sendable {
    private let table: PrefixTable

    /// The list of these; doubles, and blocks within others, do no harm.
    public init(_ prefixes: some Sequence<IPPrefix>) {
        table = PrefixTable(prefixes.map { (prefix: $0, value: 0) })
    }

    /// Whether one of the blocks holds the address.
    public func contains(_ address: IPAddress) -> Bool { table.value(around: address) != nil }
}
