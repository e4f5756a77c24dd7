import LinuxIO

/// When a draining stream's time is over on one worker. Where it is told several times, the earliest counts. Confined to
/// the worker.
struct DrainTimer {
    private var timer = TimerWheel.Identifier.none
    private var deadline = UInt64.max

    /// Fires for `token`'s owner `timeout` from now on, unless it fires earlier already.
    mutating func arm(after timeout: Duration, token: EventToken, on loop: EventLoop) {
        let (sum, isBeyond) = loop.now.addingReportingOverflow(timeout.clampedNanoseconds)
        let wanted = isBeyond ? UInt64.max : sum
        guard timer.isNone || wanted < deadline else { return }
        loop.cancel(&timer)
        deadline = wanted
        timer = loop.schedule(at: wanted, token: token)
    }

    /// The stream has ended, or serves again.
    mutating func cancel(on loop: EventLoop) {
        loop.cancel(&timer)
    }
}
