import LinuxIO

// Replies that the kernel drops in the session's own socket, because its receive buffer is full. The kernel tells its
// total on request only: with each datagram it would cost every receive (`SO_RXQ_OVFL`, socket(7)).
extension UDPSession {
    /// The delay between a burst and the query of the kernel's drop count.
    private static let dropCheckDelayNanoseconds: UInt64 = 500_000_000

    /// Schedules a query of the drop count after a burst: only a socket in which several replies wait can overflow.
    /// Those of a single one are counted at the latest when the session ends.
    func checkKernelDropsSoon() {
        guard !isDropCheckArmed, phase == .open else { return }
        isDropCheckArmed = true
        _ = core.loop.schedule(
            afterNanoseconds: Self.dropCheckDelayNanoseconds, token: token.with(tag: TimerTag.kernelDrops))
    }

    func kernelDropTimerFired() {
        isDropCheckArmed = false
        countKernelDrops()
    }

    /// Counts the replies that the kernel has dropped since the last call.
    func countKernelDrops() {
        guard let total = socket?.droppedDatagrams() else { return }
        let new = kernelDrops.note(total)
        if new > 0 { drop(.egress, .kernelOverflow, new) }
    }

    /// Closes the socket, and counts what was dropped in it.
    func closeSocket() {
        countKernelDrops()
        kernelDrops = KernelDropCount()
        socket.take()?.close()
    }
}
