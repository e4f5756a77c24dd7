import LinuxIO
import NetworkTypes

// The session as the owner of its connector: it forwards what comes for it, and performs the outcome.
extension UDPSession: PreDialing {
    func makeConnector() -> UpstreamConnector<UDPDialer> {
        UpstreamConnector(route: route, context: context, core: core, token: token, dialer: UDPDialer())
    }

    func preDialEnded(_ decision: DialDecision) {
        if let connector { perform(connector.decided(decision)) }
    }

    /// The name of an upstream has an answer now.
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
        if member != found.member {
            moveAway()
            member = found.member
            upstreamEpoch = route.state(of: found.member)?.epoch ?? 0
        }
        adopt(found.takeSocket(), at: address)
        phase = .open
        connector.settle(at: address)
        if !connector.hasOthers { cancelDial() }
        sendQueue()
    }

    /// Goes on with a socket that was just connected.
    func adopt(_ new: consuming Socket, at address: SocketAddress) {
        socket.take()?.close()
        socket = consume new
        lastConnect = core.loop.now
        oweHeader()
        upstreamAddress = address
        context.upstreamAddress = address
        sawError = false
    }

    /// No upstream could be reached, or no other one: a session that has one stays with it.
    private func dialFailed(_ reason: DialFailure) {
        cancelDial()
        if socket != nil {
            forgetQueue()
            return
        }
        switch reason {
        case .dns, .loop: reject(.noUpstream)
        default: end(.upstreamError)
        }
    }

    /// A dial that is under way is given up, and no other upstream is tried.
    func cancelDial() {
        connector?.cancel()
        connector = nil
    }

    /// The upstream that the session has, if any, is left for another one.
    private func moveAway() {
        guard let member else { return }
        leaveUpstream()
        isKnownBroken = false
        route.observer?.upstreamLeft(context, upstream: route.index(of: member))
    }

    /// The session uses its upstream no longer.
    func leaveUpstream() {
        if let member { route.selector.released(member) }
    }

    /// The network refused what the upstream was sent, and no answer ever came.
    func noteBreak() {
        guard let member, !hasReply, !isKnownBroken else { return }
        isKnownBroken = true
        route.selector.brokeUnanswered(member, isAsked: true)
    }
}
