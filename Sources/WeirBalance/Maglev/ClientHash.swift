import NetworkTypes

/// The hash of a client for ``BalanceMethod/maglev``: SipHash-2-4 of 16 bytes with the key (`weir`, `client`), in
/// little-endian order: a word 4 with the IPv4 address, or a word 6 with the upper half of the IPv6 address, because
/// one host may choose any lower half. An IPv4-mapped address is the IPv4 address.
enum ClientHash {
    private static let key: (UInt64, UInt64) = (0x7269_6577, 0x746e_6569_6c63)

    @inline(__always)
    static func hash(_ address: IPAddress) -> UInt64 {
        address.isIPv4
            ? SipHash.hash(4, UInt64(address.v4Bits), key: key) : SipHash.hash(6, address.high, key: key)
    }
}
