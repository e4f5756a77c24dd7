/// The datagrams that the kernel has dropped at a socket and that are already counted.
///
/// The kernel reports its total with each datagram, as of the moment when that one was queued (`SO_RXQ_OVFL`), and on
/// request (`SO_MEMINFO`, socket(7)). A datagram that waited in the queue may therefore report an older total.
struct KernelDropCount {
    private var counted: UInt32 = 0
    /// The bits of the total that both sources report.
    private static let mask: UInt32 = 0x7fff_ffff

    /// Records a total and returns the number of new drops.
    mutating func note(_ total: UInt32) -> Int {
        let difference = (total &- counted) & Self.mask
        // The total wraps around: a difference of more than half the range means an older total.
        guard difference <= Self.mask / 2 else { return 0 }
        counted = total & Self.mask
        return Int(difference)
    }
}
