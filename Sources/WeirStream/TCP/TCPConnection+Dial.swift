import LinuxIO
import NetworkTypes

extension TCPConnection: PreDialing {
    /// RFC 8305 section 5: the recommended Connection Attempt Delay, in nanoseconds.
    private static let attemptDelay: UInt64 = 250_000_000
    /// How old a connection is before its upstream side is asked to answer probes, in nanoseconds.
    private static let keepaliveDelay: UInt64 = 10_000_000_000

    // MARK: The hook

    /// Lets the hook decide, elsewhere.
    func startPreDial(_ hook: @escaping StreamHooks.PreDial) {
        guard core.enterPreDial() else {
            reject(.hook)
            return
        }
        phase = .deciding
        lastActivity = core.loop.now
        mainTimer = core.loop.schedule(
            after: route.settings.preDialTimeout.clampedNanoseconds, token: token.with(tag: TimerTag.main))
        preDialTask = PreDial.start(
            hook, request: DialRequest(context), token: token, worker: listener.serving.workers[core.index])
    }

    func preDialEnded(_ decision: DialDecision) {
        guard phase == .deciding, preDialTask != nil else { return }
        leavePreDial()
        switch decision {
        case .dial: beginDial(upstream: 0)
        case .dialUpstream(let index) where route.upstreams.indices.contains(index): beginDial(upstream: index)
        case .dialUpstream: reject(.noUpstream)
        case .reject(let reason): reject(reason)
        }
    }

    func preDialTimedOut() {
        route.observer?.timedOut(context, kind: .preDial)
        leavePreDial()
        reject(.hook)
    }

    private func leavePreDial() {
        guard let task = preDialTask else { return }
        task.cancel()
        preDialTask = nil
        core.loop.cancel(&mainTimer)
        route.observer?.preDialFinished(context, duration: .nanoseconds(core.loop.now - lastActivity))
    }

    // MARK: The dial

    /// Dials an upstream of the route, and those behind it where it cannot be reached.
    func beginDial(upstream index: Int) {
        phase = .dialing
        if mainTimer.isNone {
            mainTimer = core.loop.schedule(
                after: route.settings.dialTimeout.clampedNanoseconds, token: token.with(tag: TimerTag.main))
        }
        dial = Dial(upstream: index, startedAt: core.loop.now)
        askForAddresses()
    }

    private func askForAddresses() {
        guard let dial else { return }
        let state = route.upstreams[dial.upstream]
        switch state.answer {
        case .pending:
            dial.isWaitingForName = true
            state.wait(token)
        case .unresolvable:
            dialFailed(.dns)
        case .addresses(let all):
            let others = all.filter { !core.ownListeners.wouldLoop(.tcp, $0) }
            if others.isEmpty {
                dialFailed(.loop)
            } else {
                dial.setCandidates(others)
                startNextAttempt()
            }
        }
    }

    /// The name has an answer now.
    func nameAnswered() {
        if dial?.isWaitingForName == true { askForAddresses() }
    }

    /// Tries addresses until an attempt is under way.
    func startNextAttempt() {
        while let dial, dial.hasMore {
            let manners = route.upstreams[dial.upstream].manners
            switch dial.startNext(
                settings: route.settings, expectsSingleAnswer: manners.givesSingleAnswers, loop: core.loop, token: token
            )
            {
            case .failed: continue
            case .connected(let socket, let address, let tag):
                dialSucceeded(socket, address, tag: tag, events: .writable)
                return
            case .started:
                if dial.hasMore {
                    _ = core.loop.schedule(
                        after: Self.attemptDelay, token: token.with(tag: TimerTag.stagger))
                }
                return
            }
        }
        if let dial, dial.isExhausted { dialFailed(DialFailure(dial.lastError)) }
    }

    func dialNews(_ events: EventSet, tag: Int) {
        guard let dial else { return }
        switch dial.finish(tag: tag, events: events) {
        case .started: return
        case .failed: startNextAttempt()
        case .connected(let socket, let address, let tag):
            dialSucceeded(socket, address, tag: tag, events: events)
        }
    }

    private func dialSucceeded(_ socket: consuming Socket, _ address: SocketAddress, tag: Int, events: EventSet) {
        guard let dial else { return }
        core.loop.cancel(&mainTimer)
        upstreamIndex = dial.upstream
        upstream = Side(dialled: socket, expectsSingleAnswer: dial.expectsSingleAnswer)
        upstream.note(events)
        upstreamTag = tag
        context.upstreamAddress = address
        self.dial = nil
        phase = .relaying
        lastActivity = core.loop.now
        route.observer?.dialled(
            context, upstream: dial.upstream, duration: .nanoseconds(core.loop.now - dial.startedAt))
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

    func dialTimedOut() {
        guard let dial else { return }
        mainTimer = .none
        route.observer?.timedOut(context, kind: .dial)
        dialFailed(dial.isWaitingForName ? .dns : .timeout, isLast: true)
    }

    private func dialFailed(_ reason: DialFailure, isLast: Bool = false) {
        guard let dial else { return }
        self.dial = nil
        route.observer?.dialFailed(context, upstream: dial.upstream, reason: reason, detail: dial.lastError)
        route.requestRefresh(dial.upstream, now: core.loop.now)
        if !isLast, dial.upstream + 1 < route.upstreams.count {
            beginDial(upstream: dial.upstream + 1)
        } else {
            end(.dialFailed, withReset: true)
        }
    }

    /// The connection ends while it is being decided over or dialled.
    func cancelDial() {
        leavePreDial()
        guard let dial else { return }
        self.dial = nil
        route.observer?.dialFailed(context, upstream: dial.upstream, reason: .canceled, detail: nil)
    }
}
