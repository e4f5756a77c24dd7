import LinuxIO

/// The timer of a draining stream on one worker. Of several deadlines the earliest wins. Confined to the worker.
struct DrainTimer {
    private var timer = TimerWheel.Identifier.none
    private var deadline = UInt64.max

    /// Arms the timer of `token`'s owner for `timeout` from now, unless it is armed for an earlier time.
    mutating func arm(after timeout: Duration, token: EventToken, on loop: EventLoop) {
        let (sum, isBeyond) = loop.now.addingReportingOverflow(timeout.clampedNanoseconds)
        let wanted = isBeyond ? UInt64.max : sum
        guard timer.isNone || wanted < deadline else { return }
        loop.cancel(&timer)
        deadline = wanted
        timer = loop.schedule(at: wanted, token: token)
    }

    /// Cancels the timer, because the stream has ended or serves again.
    mutating func cancel(on loop: EventLoop) {
        loop.cancel(&timer)
    }
}
