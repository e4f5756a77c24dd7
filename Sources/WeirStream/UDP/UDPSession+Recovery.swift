import Glibc
import LinuxIO

extension UDPSession {
    /// The time without a reply after which the session leaves an address that its name no longer has.
    private static let maxUnansweredNanoseconds: UInt64 = 1_000_000_000
    private static let notedAnswerDistance: UInt64 = 250_000_000
    private static let maxErrorsPerCall = 64
    /// The time between two looks for another upstream, where there was none.
    private static let policyLookDistance: UInt64 = 250_000_000

    /// Reads the errors of the socket, and tries another address or upstream.
    func takeErrors() {
        noteErrors()
        recover()
    }

    /// Reports the network's errors for earlier datagrams (the error queue, ip(7)), and returns their number. Errors of
    /// the local kernel are skipped, because the send returns them.
    @discardableResult
    func noteErrors() -> Int {
        var count = 0
        for _ in 0..<Self.maxErrorsPerCall {
            guard let (error, isLocal) = socket?.takeQueuedError() else { return count }
            if isLocal { continue }
            count += 1
            upstreamFailed(UpstreamErrorReason(error) ?? .other)
        }
        // The remaining errors are read in the next turn.
        core.loop.defer(token)
        return count
    }

    /// Handles a network error for the upstream. The session continues; ``recover()`` may try another address.
    func upstreamFailed(_ reason: UpstreamErrorReason) {
        guard let member else { return }
        let index = route.index(of: member)
        route.observer?.upstreamFailed(context, upstream: index, reason: reason)
        if reason == .tooBig { return }
        if reason == .refused {
            upstreamRefused()
            route.state(of: member)?.returnedDials.noteServer()
        }
        sawError = true
        noteBreak()
        route.requestRefresh(index, now: core.loop.now)
    }

    /// Tries another address of the name, or another upstream, after an error, and sends the kept datagrams again. The
    /// worker's outbox must be empty.
    func recover() {
        guard sawError, phase == .open else { return }
        if !hasReply, connector == nil, core.loop.now - lastConnect >= Self.maxUnansweredNanoseconds {
            retryAll()
        }
        if !hasReply, let connector {
            perform(connector.goElsewhere())
        } else {
            let before = upstreamAddress
            leaveStaleAddress(waitingSince: unansweredSince ?? core.loop.now)
            if upstreamAddress != before { sendQueue() }
        }
    }

    /// Reports to the selector, once until the next answer, that an upstream which had answered has left a question
    /// without an answer.
    func noteSilence(since waitingSince: UInt64) {
        guard hasReply, !isKnownSilent, let member,
            core.loop.now - waitingSince > Self.maxUnansweredNanoseconds
        else { return }
        isKnownSilent = true
        route.selector.leftUnanswered(member, now: core.loop.clockTime)
    }

    /// Reports to the selector that a later question was answered: at most four times a second.
    func noteLaterAnswer() {
        guard unansweredSince != nil, let member,
            isKnownSilent || lastActivity - lastNotedAnswer >= Self.notedAnswerDistance
        else { return }
        isKnownSilent = false
        lastNotedAnswer = lastActivity
        route.selector.answeredAgain(member, now: core.loop.clockTime)
    }

    /// Moves the session where the route's policy no longer keeps its upstream, and has another one. The client's
    /// address and port stay: replies leave by the same listening socket. The worker's outbox must be empty.
    func leaveDownUpstream() {
        let now = core.loop.now
        guard phase == .open, let member, !isLeaving, now >= nextPolicyLook,
            !route.selector.keeps(member, now: core.loop.clockTime)
        else { return }
        nextPolicyLook = now + Self.policyLookDistance
        cancelDial()
        endTrial()
        let connector = makeConnector()
        self.connector = connector
        isLeaving = true
        perform(connector.leave(member))
    }

    /// Allows every other address and upstream to be tried again, after all of them were tried.
    private func retryAll() {
        guard let member else { return }
        let connector = makeConnector()
        connector.adopt(member, at: upstreamAddress)
        if connector.hasOthers { self.connector = connector } else { connector.cancel() }
    }

    /// Connects to a new address of the name where the name no longer has the present one, and errors occurred or
    /// replies stopped.
    func leaveStaleAddress(waitingSince: UInt64) {
        guard let member, let state = route.state(of: member), upstreamEpoch != state.epoch,
            let current = upstreamAddress, phase == .open
        else { return }
        if state.contains(current) {
            upstreamEpoch = state.epoch
            return
        }
        guard sawError || core.loop.now - waitingSince > Self.maxUnansweredNanoseconds,
            case .addresses(let list) = state.answer,
            let next = core.ownListeners.withoutLoops(.udp, route.settings.reachable(list)).first
        else { return }
        upstreamEpoch = state.epoch
        // Where the connect fails, the session keeps its address.
        guard let new = try? UDPDialer.connect(to: next, route.settings, loop: core.loop, token: token) else { return }
        adopt(new, at: next)
        route.observer?.moved(context, reason: .addressChanged)
    }
}

extension UpstreamErrorReason {
    /// The reason for the errno of an ICMP error (udp(7), icmp(7)); nil for local errors.
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
