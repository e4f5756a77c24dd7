import LinuxIO
import NetworkTypes

// The session owns its connector: it passes events to the connector, and performs the outcomes.
extension UDPSession: PreDialing {
    func makeConnector() -> UpstreamConnector<UDPDialer> {
        UpstreamConnector(
            route: route, context: context, core: core, token: token, dialer: UDPDialer(core: core), mark: mark)
    }

    func preDialEnded(_ decision: DialDecision) {
        if let connector { perform(connector.decided(decision)) }
    }

    /// Passes the end of a lookup to the connector.
    func nameAnswered() {
        if let connector { perform(connector.nameAnswered()) }
    }

    func dialTimerFired(_ tag: Int) {
        if let connector { perform(connector.timerFired(tag: tag)) }
    }

    func perform(_ outcome: consuming DialOutcome) {
        switch consume outcome {
        case .pending: return
        case .connected(let upstream): connected(upstream)
        case .failed(let reason): dialFailed(reason)
        case .rejected(let reason): reject(reason)
        }
    }

    private func connected(_ found: consuming ConnectedUpstream) {
        guard let connector else { return }
        let address = found.attempt.address
        let isMove = socket != nil
        if member != found.member {
            moveAway()
            member = found.member
            upstreamEpoch = route.state(of: found.member)?.epoch ?? 0
        }
        adopt(found.takeSocket(), at: address)
        phase = .open
        connector.settle(at: address)
        if isMove { route.observer?.moved(context, reason: isLeaving ? .upstreamDown : .upstreamError) }
        isLeaving = false
        watchForSilence()
        if !connector.hasOthers { cancelDial() }
        sendQueue()
    }

    /// Replaces the socket by one that was just connected.
    func adopt(_ new: consuming Socket, at address: SocketAddress) {
        closeSocket()
        socket = consume new
        if route.settings.dontFragment { _ = socket?.setFragmentation(isAllowed: false) }
        lastConnect = core.loop.now
        owedReplies.forget()
        oweHeader()
        upstreamAddress = address
        context.upstreamAddress = address
        sawError = false
    }

    /// Handles a failed dial. A session that already has an upstream keeps it; another one ends.
    private func dialFailed(_ reason: DialFailure) {
        cancelDial()
        if socket != nil {
            forgetQueue()
            return
        }
        if reason.isAboutName { reject(.noUpstream) } else { end(.upstreamError) }
    }

    /// Cancels a dial in progress. No other upstream is tried.
    func cancelDial() {
        isLeaving = false
        connector?.cancel()
        connector = nil
    }

    /// Leaves the present upstream, if any, for another one.
    private func moveAway() {
        guard let member else { return }
        leaveUpstream()
        isKnownBroken = false
        isKnownSilent = false
        hasReply = false
        unansweredSince = nil
        route.observer?.upstreamLeft(context, upstream: route.index(of: member))
    }

    /// Reports to the selector that the session no longer uses its upstream.
    func leaveUpstream() {
        if let member { route.selector.released(member) }
    }

    /// Reports to the selector, once, that the upstream failed before it answered.
    func noteBreak() {
        guard let member, !hasReply, !isKnownBroken else { return }
        isKnownBroken = true
        route.selector.brokeUnanswered(member, isAsked: true, now: core.loop.clockTime)
    }
}
