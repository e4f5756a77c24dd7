import Glibc
import LinuxIO

extension UDPSession {
    /// An address that has left its name's answer is given up after this many nanoseconds without a reply.
    private static let patience: UInt64 = 1_000_000_000
    private static let mostErrorsAtOnce = 64

    /// The socket has an error: notes what the network said, and looks for another way.
    func takeErrors() {
        noteErrors()
        recover()
    }

    /// Counts what the network said of earlier datagrams, and returns how often it did. What our own kernel refuses is told
    /// by the send.
    @discardableResult
    func noteErrors() -> Int {
        var count = 0
        for _ in 0..<Self.mostErrorsAtOnce {
            guard let (error, isLocal) = socket?.takeQueuedError() else { return count }
            if isLocal { continue }
            count += 1
            upstreamFailed(UpstreamErrorReason(error) ?? .other)
        }
        // The rest later: others want their turn.
        core.loop.defer(token)
        return count
    }

    /// The network said that datagrams did not arrive. The session lives; perhaps another address does, too.
    func upstreamFailed(_ reason: UpstreamErrorReason) {
        guard let member else { return }
        let index = route.index(of: member)
        route.observer?.upstreamFailed(context, upstream: index, reason: reason)
        if reason == .tooBig { return }
        if reason == .refused { upstreamRefused() }
        sawError = true
        noteBreak()
        route.requestRefresh(index, now: core.loop.now)
    }

    /// After an error, and with the worker's outbox free: tries another address of the name, or another upstream, and
    /// sends again what the first one swallowed.
    func recover() {
        guard sawError, phase == .open else { return }
        if !hasReply, connector == nil, core.loop.now - lastConnect >= Self.patience { beginAnew() }
        if !hasReply, let connector {
            perform(connector.goElsewhere())
        } else {
            let before = upstreamAddress
            leaveStaleAddress(waitingSince: unansweredSince ?? core.loop.now)
            if upstreamAddress != before { sendQueue() }
        }
    }

    /// All were tried: begins again, at most once in a while.
    private func beginAnew() {
        guard let member else { return }
        let connector = makeConnector()
        connector.adopt(member, at: upstreamAddress)
        if connector.hasOthers { self.connector = connector } else { connector.cancel() }
    }

    /// Dials again in place when the address has left its name's answer and errors came or replies stopped.
    func leaveStaleAddress(waitingSince: UInt64) {
        guard let member, let state = route.state(of: member), upstreamEpoch != state.epoch,
            let current = upstreamAddress, phase == .open
        else { return }
        if state.contains(current) {
            upstreamEpoch = state.epoch
            return
        }
        guard sawError || core.loop.now - waitingSince > Self.patience, case .addresses(let list) = state.answer,
            let next = core.ownListeners.withoutLoops(.udp, list).first
        else { return }
        upstreamEpoch = state.epoch
        // Where even that fails, the session stays with the address that it has.
        guard let new = try? UDPDialer.connect(to: next, loop: core.loop, token: token) else { return }
        adopt(new, at: next)
    }
}

extension UpstreamErrorReason {
    /// What an ICMP error comes up as (udp(7), icmp(7)); nil for errors of our own side.
    init?(_ error: SystemError) {
        switch error.code {
        case ECONNREFUSED: self = .refused
        case EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, ENETDOWN: self = .unreachable
        case EMSGSIZE: self = .tooBig
        case EPROTO, ENOPROTOOPT, ECONNRESET: self = .other
        default: return nil
        }
    }
}
