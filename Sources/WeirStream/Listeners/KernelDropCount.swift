/// How many datagrams the kernel has dropped at a socket, as far as it is counted already.
///
/// The kernel tells its total with each datagram, as it stood when that one came into the queue (`SO_RXQ_OVFL`), and when it
/// is asked (`SO_MEMINFO`, socket(7)). So a datagram that waited may tell an older total than the one that is known.
struct KernelDropCount {
    private var counted: UInt32 = 0
    /// Both sources of the total agree on these bits.
    private static let mask: UInt32 = 0x7fff_ffff

    /// Takes a total in. Returns how many drops of it are new.
    mutating func note(_ total: UInt32) -> Int {
        let difference = (total &- counted) & Self.mask
        // The total wraps around: what is more than half of all numbers ahead is behind.
        guard difference <= Self.mask / 2 else { return 0 }
        counted = total & Self.mask
        return Int(difference)
    }
}
