import LinuxIO
import NetworkTypes

/// Remembers which address of an upstream's name accepted a connection while an earlier one was silent.
///
/// So a family without a way costs one delay, and not one for each dial (RFC 8305 sections 3 and 5). Confined to the
/// worker.
struct FamilyMemory {
    /// How long an address is remembered, after RFC 6555 section 4.2: about ten minutes.
    static let lifeNanoseconds: UInt64 = 600_000_000_000

    private var known: (address: SocketAddress, until: UInt64)?

    /// Remembers an address.
    mutating func note(_ address: SocketAddress, now: UInt64) {
        let (until, isBeyond) = now.addingReportingOverflow(Self.lifeNanoseconds)
        known = (address, isBeyond ? .max : until)
    }

    /// Returns the addresses in the order in which a dial tries them: first the one that is remembered, or else one of
    /// its family.
    mutating func dialOrder(_ addresses: [SocketAddress], now: UInt64) -> [SocketAddress] {
        guard let known, addresses.count > 1 else { return addresses }
        guard now < known.until else {
            self.known = nil
            return addresses
        }
        let isIPv4 = known.address.ip.isIPv4
        guard
            let index = addresses.firstIndex(of: known.address)
                ?? addresses.firstIndex(where: { $0.ip.isIPv4 == isIPv4 }), index > 0
        else { return addresses }
        var order = addresses
        order.insert(order.remove(at: index), at: 0)
        return UpstreamResolver.interleave(order)
    }
}
