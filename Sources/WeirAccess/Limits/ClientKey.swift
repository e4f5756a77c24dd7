import NetworkTypes

/// One limit's own room in the tables that all limits share: that of a route, or that of the process.
public struct LimitScope: Hashable, Sendable {
    fileprivate let salt: UInt64

    /// The scope of that name: the same one for the same name, as long as the process lives.
    public init(_ name: String) {
        // Seeded by the standard library for each process, so that no client can choose names that collide.
        var hasher = Hasher()
        hasher.combine(name)
        salt = UInt64(bitPattern: Int64(hasher.finalize()))
    }
}

/// The key of one client in a limit: an IPv4 address, or the /64 of an IPv6 address, within which one host may choose
/// any address. Clients on one link that use link-local addresses (`fe80::/64`) count as one.
///
/// The 64 bits that tell networks apart are permuted with a secret of the process: two networks never have the same key
/// in one scope, and no client knows which keys lie beside each other in a table.
struct ClientKey: Hashable, Sendable {
    /// Evenly distributed, and different for different clients of a scope.
    let bits: UInt64

    /// Chosen once for the process.
    private static let secret = UInt64.random(in: 0...UInt64.max)

    init(_ address: IPAddress, _ scope: LimitScope) {
        // No client is in ::ffff:0:0/96 read as a /64 of its own: there is room for the IPv4 addresses.
        let network = address.isIPv4 ? 0x0000_ffff_0000_0000 | UInt64(address.v4Bits) : address.high
        bits = Self.permuted(network ^ scope.salt ^ Self.secret)
    }

    /// The finalizer of MurmurHash3: each step can be undone, so no two values meet.
    private static func permuted(_ value: UInt64) -> UInt64 {
        var mixed = value
        mixed = (mixed ^ (mixed >> 33)) &* 0xff51_afd7_ed55_8ccd
        mixed = (mixed ^ (mixed >> 33)) &* 0xc4ce_b9fe_1a85_ec53
        return mixed ^ (mixed >> 33)
    }
}
