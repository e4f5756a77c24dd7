import LinuxIO

// The connection as the owner of its connector: it forwards what comes for it, and performs the outcome.
extension TCPConnection: PreDialing {
    /// How old a connection is before its upstream side is asked to answer probes, in nanoseconds.
    private static let keepaliveDelay: UInt64 = 10_000_000_000

    /// The client is known and admitted: finds an upstream for it.
    func connect() {
        phase = .dialing
        let connector = UpstreamConnector(
            route: route, context: context, core: core, token: token, dialer: TCPDialer())
        self.connector = connector
        perform(connector.start(worker: owner.shared.workers[core.index]))
    }

    func preDialEnded(_ decision: DialDecision) {
        if let connector { perform(connector.decided(decision)) }
    }

    /// The name of an upstream has an answer now.
    func nameAnswered() {
        if let connector { perform(connector.nameAnswered()) }
    }

    func attemptReady(_ events: EventSet, tag: Int) {
        if let connector { perform(connector.attemptReady(events, tag: tag)) }
    }

    func dialTimerFired(_ tag: Int) {
        if let connector { perform(connector.timerFired(tag: tag)) }
    }

    private func perform(_ outcome: consuming DialOutcome) {
        switch consume outcome {
        case .pending: return
        case .connected(let upstream): connected(upstream)
        case .failed: end(.dialFailed, withReset: true)
        case .rejected(let reason): reject(reason)
        }
    }

    private func connected(_ found: consuming ConnectedUpstream) {
        guard let connector else { return }
        let (events, address) = (found.events, found.attempt.address)
        member = found.member
        upstreamTag = found.attempt.tag
        upstream = Side(
            dialled: found.takeSocket(), expectsSingleAnswer: connector.dialer.expectsSingleAnswer)
        upstream.note(events)
        phase = .relaying
        lastActivity = core.loop.now
        connector.settle(at: address)
        self.connector = nil
        armSilenceTimer()
        scheduleUpstreamKeepalive()
        if let version = route.settings.relayedHeader { sendHeader(version) }
        relay()
    }

    /// Four system calls that a connection which soon ends does not need: made when it has lived for a while. The client's
    /// side has it from the listener. The kernel counts silence from the last byte, whenever it is asked to.
    private func scheduleUpstreamKeepalive() {
        guard let keepalive = route.settings.keepalive else { return }
        let delay = min(Self.keepaliveDelay, keepalive.idle.clampedNanoseconds / 2)
        _ = core.loop.schedule(after: delay, token: token.with(tag: TimerTag.keepalive))
    }

    func startUpstreamKeepalive() {
        if let keepalive = route.settings.keepalive { upstream.socket?.startKeepalive(keepalive) }
    }

    /// The connection ends: a dial that is under way is given up.
    func cancelDial() {
        connector?.cancel()
        connector = nil
    }

    /// The first bytes of egress came.
    func upstreamAnswered(withEnd: Bool) {
        guard let member, let state = route.state(of: member) else { return }
        state.manners.answered(isAsked: hasQuestion, withEnd: withEnd)
        route.selector.answered(member)
    }

    /// The connection ends: its upstream is told to the selector as free again.
    func leaveUpstream() {
        guard let member else { return }
        if upstream.isBroken, egress.byteCount == 0 { route.selector.brokeUnanswered(member, isAsked: hasQuestion) }
        route.selector.released(member)
    }
}
