import Glibc
import LinuxIO

/// How long, and how much, a side that is to be reset is still owed. An object of its own: few connections ever need it.
final class Flushing {
    var startedAt: UInt64
    var lastProgress: UInt64
    var lastCheck: UInt64
    var owed = Int.max
    var nextCheck: UInt64 = 1_000_000

    /// Without any progress, flushing ends after this many nanoseconds.
    static let longestStall: UInt64 = 5_000_000_000
    /// However much progress there is, it ends after this many.
    static let longest: UInt64 = 30_000_000_000
    static let slowestCheck: UInt64 = 100_000_000

    init(startedAt: UInt64) {
        self.startedAt = startedAt
        lastProgress = startedAt
        lastCheck = startedAt
    }
}

extension ConnectionCloseReason {
    /// Why a side broke, as a read or write told it.
    init(_ error: SystemError, isClient: Bool) {
        switch error.code {
        case ECONNRESET, EPIPE: self = isClient ? .clientReset : .upstreamReset
        case ETIMEDOUT: self = .timeout
        default: self = .error
        }
    }
}

extension TCPConnection {
    // MARK: Looking whether something ended

    /// After every move: passes on what ended, and ends what is over.
    func settle() {
        guard phase == .relaying || phase == .flushing else { return }
        // A side that has ended, or whose bytes nobody takes, is not read: its break must be asked for.
        if client.hasError, ingress.isSourceAtEnd || !ingress.keepsNothing { noteError(&client, isClient: true) }
        if upstream.hasError, egress.isSourceAtEnd || !egress.keepsNothing { noteError(&upstream, isClient: false) }
        if client.isBroken || upstream.isBroken {
            settleBroken()
        } else if ingress.isFinished, egress.isFinished {
            end(firstEnd == .egress ? .upstreamEOF : .clientEOF, withReset: false)
        } else if ingress.isSourceAtEnd != egress.isSourceAtEnd, !isHalfCloseTimed {
            isHalfCloseTimed = true
            // The time for the rest begins now, however long the connection was silent before.
            lastActivity = core.loop.now
            armSilenceTimer()
        }
    }

    /// One side broke. The other one gets all that the broken side sent, and then the reset.
    private func settleBroken() {
        let reason = brokenReason ?? .error
        if client.isBroken, upstream.isBroken {
            end(reason, withReset: true)
            return
        }
        let isClientBroken = client.isBroken
        if isClientBroken { discard(&egress, .egress) } else { discard(&ingress, .ingress) }
        let (isAtEnd, isEmpty) =
            isClientBroken
            ? (ingress.isSourceAtEnd, ingress.keepsNothing) : (egress.isSourceAtEnd, egress.keepsNothing)
        // A reset throws away what the kernel has not delivered yet: wait for that, too.
        if isAtEnd, isEmpty, isClientBroken ? upstream.isAcknowledged : client.isAcknowledged {
            end(reason, withReset: true)
        } else if phase != .flushing {
            beginFlushing()
        }
    }

    private func beginFlushing() {
        phase = .flushing
        core.loop.cancel(&mainTimer)
        let flushing = Flushing(startedAt: core.loop.now)
        self.flushing = flushing
        scheduleFlushCheck(flushing)
        relay()
    }

    private func scheduleFlushCheck(_ flushing: Flushing) {
        _ = core.loop.schedule(after: flushing.nextCheck, token: token.with(tag: TimerTag.flush))
        flushing.nextCheck = min(flushing.nextCheck * 2, Flushing.slowestCheck)
    }

    /// Nothing tells when a peer's kernel has acknowledged all: asks again and again, for a bounded time.
    func checkFlushed() {
        relay()
        guard phase == .flushing, let flushing else { return }
        let isClientBroken = client.isBroken
        let unacknowledged = isClientBroken ? upstream.unacknowledgedBytes : client.unacknowledgedBytes
        let owed = unacknowledged + (isClientBroken ? ingress.keptBytes : egress.keptBytes)
        let now = core.loop.now
        if isClientBroken ? ingress.isThrottled : egress.isThrottled {
            // What a hook holds back is late through no fault of a peer's: that time does not count.
            flushing.startedAt += now - flushing.lastCheck
            flushing.lastProgress = now
        }
        flushing.lastCheck = now
        // While more is read for it, what it is owed does not fall: bytes that moved are progress, too.
        if owed < flushing.owed || lastActivity > flushing.lastProgress {
            flushing.owed = min(owed, flushing.owed)
            flushing.lastProgress = now
        }
        if now - flushing.lastProgress > Flushing.longestStall || now - flushing.startedAt > Flushing.longest {
            end(brokenReason ?? .error, withReset: true)
        } else {
            scheduleFlushCheck(flushing)
        }
    }

    // MARK: Silence

    /// How much silence ends the connection, in nanoseconds, and what that is called.
    private var silence: (limit: UInt64, kind: TimeoutKind)? {
        let idle = route.settings.idleTimeout.map { ($0.clampedNanoseconds, TimeoutKind.idle) }
        guard ingress.isSourceAtEnd != egress.isSourceAtEnd else { return idle }
        let halfClose = (route.settings.halfCloseTimeout.clampedNanoseconds, TimeoutKind.halfClose)
        if let idle, idle.0 <= halfClose.0 { return idle }
        return halfClose
    }

    /// One timer for all silence: activity only stores the time, and the timer looks at it when it fires.
    func armSilenceTimer() {
        guard let (limit, _) = silence else { return }
        core.loop.cancel(&mainTimer)
        mainTimer = core.loop.schedule(
            at: lastActivity.addingReportingOverflow(limit).overflow ? .max : lastActivity + limit,
            token: token.with(tag: TimerTag.main))
    }

    func checkSilence() {
        mainTimer = .none
        guard let (limit, kind) = silence else { return }
        let now = core.loop.now
        if ingress.isThrottled || egress.isThrottled { lastActivity = now }
        if now - min(now, lastActivity) >= limit {
            route.observer?.timedOut(context, kind: kind)
            end(.timeout, withReset: true)
        } else {
            armSilenceTimer()
        }
    }

    // MARK: Ending

    /// The drain time of the stream is over.
    func endDrained() {
        guard phase != .closed else { return }
        route.observer?.timedOut(context, kind: .drain)
        cancelDial()
        end(.drained, withReset: true)
    }

    /// The process, or the owner of the stream, wants everything gone.
    func endKilled() {
        guard phase != .closed else { return }
        cancelDial()
        end(.killed, withReset: true)
    }

    /// Ends the connection before any dial.
    func reject(_ reason: RejectReason) {
        guard release(withReset: true) else { return }
        route.observer?.rejected(context, reason: reason)
        owner.forget(self)
    }

    /// Ends the connection, once. `withReset` tells both sides that it did not end well.
    func end(_ reason: ConnectionCloseReason, withReset: Bool) {
        guard release(withReset: withReset) else { return }
        route.observer?.connectionClosed(
            context, reason: reason,
            totals: FlowTotals(
                duration: .nanoseconds(core.loop.now - min(core.loop.now, openedAt)),
                ingressBytes: ingress.byteCount, egressBytes: egress.byteCount, ingressDatagrams: 0,
                egressDatagrams: 0, upstream: member.map(route.index)))
        owner.forget(self)
    }

    /// Gives everything back. False where that was done before.
    private func release(withReset: Bool) -> Bool {
        guard phase != .closed else { return false }
        phase = .closed
        discard(&ingress, .ingress)
        discard(&egress, .egress)
        core.loop.cancel(&mainTimer)
        cancelDial()
        leaveUpstream()
        client.close(withReset: withReset)
        upstream.close(withReset: withReset)
        core.loop.remove(token)
        return true
    }

    /// What was read and cannot be delivered any more is counted.
    private func discard(_ flow: inout Flow, _ direction: Direction) {
        guard !flow.keepsNothing else { return }
        var count = core.slabs.clear(&flow.backlog)
        // Nothing was read: what was kept is the rest of our own PROXY header.
        if flow.byteCount == 0 { return }
        count += Int(flow.announced)
        flow.announced = 0
        if let pipe = flow.pipe {
            count += pipe.count
            flow.pipe = nil
            core.pipes.give(pipe)
        }
        route.observer?.discarded(context, direction: direction, byteCount: count)
    }
}
