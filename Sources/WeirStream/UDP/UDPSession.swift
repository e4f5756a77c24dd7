import LinuxIO
import NetworkTypes

/// One client's datagrams to one of our addresses, and the connected socket that takes them to the upstream.
///
/// This file holds the state and the life; the ways of datagrams are in an extension. Confined to its worker.
final class UDPSession: EventHandler {
    enum Phase {
        /// A pre-dial hook runs, or the upstream's name has no answer yet: datagrams wait.
        case preparing
        case open
        case closed
    }

    enum TimerTag {
        static let silence = 0
        static let preparation = 1
        static let ingressPause = 2
        static let egressPause = 3
    }

    let key: SessionKey
    /// Whether the client is part of what it is found by (see ``ProxiedSessionKey``).
    let isKeyedByClient: Bool
    let context: StreamContext
    let route: StreamRoute<UDPSettings>
    let listener: UDPListener
    var token = EventToken.unowned
    var phase = Phase.preparing

    var socket: Socket?
    var upstreamIndex = 0
    var upstreamAddress: SocketAddress?
    var upstreamEpoch = 0
    /// Addresses of the upstream's name that were not tried yet.
    var otherAddresses: ArraySlice<SocketAddress> = []

    /// Datagrams that wait for the session to be ready, or that are sent again where the first address is dead.
    var queue = DatagramQueue()
    /// Its datagrams of the batch that the listener has just received.
    var batch = InboxOrder.Chain()
    /// What goes in front of datagrams to the upstream; empty where that is nothing.
    var header: [UInt8] = []
    /// Whether the next datagram takes the header along: the first one to each address that the session was connected to.
    var owesHeader = false
    /// Whether runs of datagrams may leave as one send: until the kernel refuses.
    var coalescesIngress = true
    var coalescesEgress = true

    let openedAt: UInt64
    /// When the socket was last connected to an address.
    var lastConnect: UInt64 = 0
    var lastActivity: UInt64
    /// When the client first spoke after the last reply; nil where nothing is unanswered.
    var unansweredSince: UInt64?
    var isAssured = false
    var hasReply = false
    var sawError = false
    /// Once it has ended: as what its datagrams that could not be forwarded were dropped.
    private(set) var endedDropping: DropReason?
    var isThrottled: (ingress: Bool, egress: Bool) = (false, false)
    var ingressBytes: UInt64 = 0
    var egressBytes: UInt64 = 0
    var ingressDatagrams: UInt64 = 0
    var egressDatagrams: UInt64 = 0

    private var silenceTimer = TimerWheel.Identifier.none
    private var preparationTimer = TimerWheel.Identifier.none
    private var preDialTask: Task<Void, Never>?
    private var isDialling = false

    /// Neighbours in the list of sessions that may be evicted.
    var newer: UDPSession?
    // Proof: the list takes a session out before the table lets go of it; a stale one traps.
    unowned(safe) var older: UDPSession?
    var isListed = false

    var core: WorkerCore { listener.core }

    init(
        key: SessionKey, isKeyedByClient: Bool, context: StreamContext, route: StreamRoute<UDPSettings>,
        listener: UDPListener
    ) {
        self.key = key
        self.isKeyedByClient = isKeyedByClient
        self.context = context
        self.route = route
        self.listener = listener
        openedAt = listener.core.loop.now
        lastActivity = openedAt
    }

    func start() {
        token = core.loop.insert(self)
        silenceTimer = core.loop.schedule(after: silenceLimit, token: token.with(tag: TimerTag.silence))
        if let hook = route.hooks.preDial { startPreDial(hook) } else { dial(upstream: 0) }
    }

    // MARK: Preparing

    private func startPreDial(_ hook: @escaping StreamHooks.PreDial) {
        guard core.enterPreDial() else {
            reject(.hook)
            return
        }
        armPreparationTimer()
        preDialTask = PreDial.start(
            hook, request: DialRequest(context), token: token, worker: listener.serving.workers[core.index])
    }

    private func armPreparationTimer() {
        guard preparationTimer.isNone else { return }
        preparationTimer = core.loop.schedule(
            after: route.settings.preDialTimeout.clampedNanoseconds,
            token: token.with(tag: TimerTag.preparation))
    }

    private func leavePreDial() {
        guard let task = preDialTask else { return }
        task.cancel()
        preDialTask = nil
        core.loop.cancel(&preparationTimer)
        route.observer?.preDialFinished(context, duration: .nanoseconds(core.loop.now - openedAt))
    }

    /// Opens the socket towards an upstream, as soon as its name has an answer.
    func dial(upstream index: Int) {
        upstreamIndex = index
        isDialling = true
        let state = route.upstreams[index]
        switch state.answer {
        case .pending:
            armPreparationTimer()
            state.wait(token)
        case .unresolvable:
            dialFailed(.dns, nil)
        case .addresses(let all):
            let others = all.filter { !core.ownListeners.wouldLoop(.udp, $0) }
            upstreamEpoch = state.epoch
            otherAddresses = others[...]
            if others.isEmpty { dialFailed(.loop, nil) } else { connectToNextAddress() }
        }
    }

    /// Connects to the next address that the kernel has a way to.
    private func connectToNextAddress() {
        var lastError: SystemError?
        while let address = otherAddresses.popFirst() {
            if let error = connect(address) { lastError = error } else { break }
        }
        if socket == nil {
            dialFailed(DialFailure(lastError), lastError)
            return
        }
        isDialling = false
        core.loop.cancel(&preparationTimer)
        phase = .open
        route.observer?.dialled(
            context, upstream: upstreamIndex, duration: .nanoseconds(core.loop.now - openedAt))
        sendQueue()
    }

    private func connect(_ address: SocketAddress) -> SystemError? {
        do throws(SystemError) {
            let new = try Socket(.datagram, family: Socket.family(of: address))
            // Room for a few of the largest; the kernel clamps to wmem_max.
            new.setIfPossible(.sendBuffer, 1 << 20)
            new.setIfPossible(.receiveBuffer, 1 << 20)
            // Without it a host that is off, or a network without a way, is never heard of.
            new.setIfPossible(new.family == .ipv6 ? .receiveErrorsIPv6 : .receiveErrorsIPv4, 1)
            if case .failed(let error) = new.connect(to: address) { throw error }
            // Not for writing: a datagram socket becomes writable again after every single send.
            try core.loop.add(new.number, [.readable, .edgeTriggered], token: token)
            socket.take()?.close()
            socket = consume new
            lastConnect = core.loop.now
            oweHeader()
            upstreamAddress = address
            context.upstreamAddress = address
            sawError = false
            return nil
        } catch {
            return error
        }
    }

    /// Goes on with another address, in place: after an error with others left to try, or because the address has left
    /// its name's answer.
    func reconnect(to address: SocketAddress) {
        // Where even that fails, the session stays with the address it has.
        _ = connect(address)
    }

    private func dialFailed(_ reason: DialFailure, _ detail: SystemError?) {
        isDialling = false
        route.observer?.dialFailed(context, upstream: upstreamIndex, reason: reason, detail: detail)
        route.requestRefresh(upstreamIndex, now: core.loop.now)
        switch reason {
        case .dns, .loop: reject(.noUpstream)
        default: end(.upstreamError)
        }
    }

    // MARK: Timers

    /// How long this session may be silent, in nanoseconds.
    private var silenceLimit: UInt64 {
        if listener.isDraining { return UDPListener.drainSilence }
        return (isAssured ? route.settings.idleTimeout : route.settings.unassuredTimeout).clampedNanoseconds
    }

    func timerFired(tag: Int, deadline: UInt64) {
        switch tag {
        case TimerTag.silence: checkSilence()
        case TimerTag.preparation: preparationTimedOut()
        case TimerTag.ingressPause: isThrottled.ingress = false
        case TimerTag.egressPause: isThrottled.egress = false
        default: break
        }
    }

    /// Activity only stores the time; the timer looks at it when it fires.
    func checkSilence() {
        core.loop.cancel(&silenceTimer)
        let now = core.loop.now
        let limit = silenceLimit
        if now - min(now, lastActivity) >= limit {
            end(listener.isDraining ? .drained : .idle)
        } else {
            silenceTimer = core.loop.schedule(
                at: lastActivity.addingReportingOverflow(limit).overflow ? .max : lastActivity + limit,
                token: token.with(tag: TimerTag.silence))
        }
    }

    private func preparationTimedOut() {
        preparationTimer = .none
        if preDialTask != nil {
            route.observer?.timedOut(context, kind: .preDial)
            leavePreDial()
            reject(.hook)
        } else if isDialling {
            dialFailed(.dns, nil)
        }
    }

    /// Unassured sessions end at once; the others when they have been silent for a while.
    func streamDrains() {
        if isAssured { checkSilence() } else { end(.drained) }
    }

    func endDrained() {
        guard phase != .closed else { return }
        route.observer?.timedOut(context, kind: .drain)
        end(.drained)
    }

    // MARK: Ending

    /// Ends the session before it had an upstream; what waited is dropped.
    func reject(_ reason: RejectReason) {
        guard release(dropping: DropReason(reason)) else { return }
        route.observer?.rejected(context, reason: reason)
        listener.forget(self)
    }

    /// Ends the session because its stream's new hooks do not admit it.
    func revoke(_ reason: RejectReason) {
        if phase == .preparing { reject(reason) } else { end(.routeRemoved) }
    }

    /// Ends the session, once.
    func end(_ reason: SessionCloseReason) {
        guard release(dropping: reason == .hook || reason == .upstreamError ? .error : .noUpstream) else { return }
        route.observer?.sessionClosed(
            context, reason: reason,
            totals: FlowTotals(
                duration: .nanoseconds(core.loop.now - min(core.loop.now, openedAt)), ingressBytes: ingressBytes,
                egressBytes: egressBytes, ingressDatagrams: ingressDatagrams, egressDatagrams: egressDatagrams,
                upstream: upstreamAddress == nil ? nil : upstreamIndex))
        listener.forget(self)
    }

    private func release(dropping reason: DropReason) -> Bool {
        guard phase != .closed else { return false }
        endedDropping = reason
        let waiting = phase == .preparing ? queue.count : 0
        if waiting > 0 { drop(.ingress, reason, waiting) }
        forgetQueue()
        leavePreDial()
        phase = .closed
        core.loop.cancel(&silenceTimer)
        core.loop.cancel(&preparationTimer)
        socket.take()?.close()
        core.loop.remove(token)
        return true
    }
}

extension UDPSession: PreDialing {
    func preDialEnded(_ decision: DialDecision) {
        guard phase == .preparing, preDialTask != nil else { return }
        leavePreDial()
        switch decision {
        case .dial: dial(upstream: 0)
        case .dialUpstream(let index) where route.upstreams.indices.contains(index): dial(upstream: index)
        case .dialUpstream: reject(.noUpstream)
        case .reject(let reason): reject(reason)
        }
    }
}
