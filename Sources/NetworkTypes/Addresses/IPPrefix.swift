/// A block of addresses, as CIDR notation writes it: `10.0.0.0/8`, `2001:db8::/32` (RFC 4632, RFC 4291 section 2.3).
///
/// IPv4 and its mapped form are one family, as in `IPAddress`: `::ffff:10.0.0.0/104` is `10.0.0.0/8`. An IPv6 block,
/// even `::/0`, holds no IPv4 address.
public struct IPPrefix: Hashable, Sendable {
    /// The first address of the block: every bit behind the length is zero.
    public let network: IPAddress
    /// How many leading bits the addresses share: 0 to 32 for IPv4, 0 to 128 for IPv6.
    public let length: Int

    /// The length that IPv4's 32 bits stand behind in the 128-bit form.
    private static let mappedBits = 96

    /// The block of `length` bits around an address; bits behind the length are cleared.
    /// Fails where the family has fewer bits.
    public init?(around address: IPAddress, length: Int) {
        guard length >= 0, length <= (address.isIPv4 ? 32 : 128) else { return nil }
        let significant = address.isIPv4 ? length + Self.mappedBits : length
        let (high, low) = Self.mask(significant)
        // IPv4 in its mapped form keeps its 96 leading bits, so it stays IPv4 after the masking.
        network = IPAddress(high: address.high & high, low: address.low & low)
        self.length = length
    }

    /// Whether the block is of IPv4 addresses.
    public var isIPv4: Bool { network.isIPv4 }

    /// Whether the address lies in the block.
    public func contains(_ address: IPAddress) -> Bool {
        guard address.isIPv4 == isIPv4 else { return false }
        let (high, low) = Self.mask(isIPv4 ? length + Self.mappedBits : length)
        return address.high & high == network.high && address.low & low == network.low
    }

    /// The two halves of a mask with this many leading ones. Swift's shifts give zero where they shift everything out.
    private static func mask(_ bits: Int) -> (high: UInt64, low: UInt64) {
        (.max << UInt64(64 - min(bits, 64)), .max << UInt64(64 - max(bits - 64, 0)))
    }
}

extension IPPrefix: CustomStringConvertible {
    /// `10.0.0.0/8`.
    public var description: String { "\(network)/\(length)" }
}
