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
        route.observer?.upstreamFailed(context, upstream: upstreamIndex, reason: reason)
        if reason == .tooBig { return }
        if reason == .refused { upstreamRefused() }
        sawError = true
        route.requestRefresh(upstreamIndex, now: core.loop.now)
    }

    /// After an error, and with the worker's outbox free: tries another address of the name, and sends again what the
    /// first one swallowed.
    func recover() {
        guard sawError, phase == .open else { return }
        let before = upstreamAddress
        if !hasReply, otherAddresses.isEmpty, core.loop.now - lastConnect >= Self.patience,
            case .addresses(let all) = route.upstreams[upstreamIndex].answer
        {
            // All were tried: begin again, at most once in a while.
            otherAddresses = all.filter { $0 != before && !core.ownListeners.wouldLoop(.udp, $0) }[...]
        }
        if !hasReply, let next = otherAddresses.popFirst() {
            reconnect(to: next)
        } else {
            leaveStaleAddress(waitingSince: unansweredSince ?? core.loop.now)
        }
        if upstreamAddress != before { sendQueue() }
    }

    /// Dials again in place when the address has left its name's answer and errors came or replies stopped.
    func leaveStaleAddress(waitingSince: UInt64) {
        let state = route.upstreams[upstreamIndex]
        guard upstreamEpoch != state.epoch, let current = upstreamAddress, phase == .open else { return }
        if state.contains(current) {
            upstreamEpoch = state.epoch
            return
        }
        guard sawError || core.loop.now - waitingSince > Self.patience, case .addresses(let list) = state.answer,
            let next = list.first(where: { !core.ownListeners.wouldLoop(.udp, $0) })
        else { return }
        upstreamEpoch = state.epoch
        reconnect(to: next)
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
