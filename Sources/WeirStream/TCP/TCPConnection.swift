// Length: one state machine in one file, so that its state is private.
import LinuxIO
import NetworkTypes

/// One proxied TCP connection: its phases and timers, around a ``Relay`` that moves the bytes. Confined to its worker.
///
/// The phases in order: the PROXY header, the handshake with the client and the pre-dial hook, where the route has
/// them; the dial, with the upstream's handshake; the relay; after a failure of one endpoint, a short flush. The
/// connection ends once, in ``release(withReset:)``.
final class TCPConnection: HandshakeHandler, PreDialing {
    /// The age of a connection at which keepalive starts on its upstream side.
    private static let keepaliveDelayNanoseconds: UInt64 = 10_000_000_000

    let context: StreamContext
    let route: RouteSnapshot<TCPSettings>
    let listener: TCPListener
    private let owner: TCPRoute
    // Exclusivity is not checked at run time on the fields of every event: one thread owns the connection, and no call
    // of the relay while it advances reaches it again (``RelayOwner``). The checks cost 1,200 of 5,000 instructions for
    // a small request (callgrind).
    @safe @exclusivity(unchecked) private(set) var token = EventToken.none
    @safe @exclusivity(unchecked) private var relay: Relay
    private var helper = Helper.none
    /// The upstream that was reached.
    private(set) var member: UpstreamHandle?
    @safe @exclusivity(unchecked) private(set) var phase = Phase.dialing
    /// The upstream's descriptor among the attempts; negative where there is none.
    @safe @exclusivity(unchecked) private var upstreamTag: Int8 = -1
    /// Whether keepalive has not started yet on the upstream's side.
    private var awaitsKeepalive = false
    /// See ``indexInRoute``.
    private var listIndex: Int32 = 0
    private let openedAt: UInt64
    /// The timer of the phase: of the header, of the client's handshake, or of silence and keepalive.
    private var mainTimer = TimerWheel.Identifier.none

    /// The helper object of a phase. No phase needs two, so one field suffices, which saves memory in every connection.
    private enum Helper {
        case none
        case connector(UpstreamConnector<TCPDialer>)
        case flushDeadline(FlushDeadline)
    }

    var core: WorkerCore { owner.core }

    /// The connector while an upstream is chosen and dialed.
    private var connector: UpstreamConnector<TCPDialer>? {
        if case .connector(let connector) = helper { connector } else { nil }
    }

    /// The deadline while the connection flushes.
    private var flushDeadline: FlushDeadline? {
        if case .flushDeadline(let deadline) = helper { deadline } else { nil }
    }

    /// Its index in the route's list.
    var indexInRoute: Int {
        get { Int(listIndex) }
        set { listIndex = Int32(newValue) }
    }

    init(
        client: consuming RelayEndpoint, context: StreamContext, route: RouteSnapshot<TCPSettings>, owner: TCPRoute,
        listener: TCPListener
    ) {
        self.context = context
        self.route = route
        self.listener = listener
        self.owner = owner
        openedAt = owner.core.loop.now
        relay = Relay(client: client, now: openedAt)
    }

    /// Registers the client, unless its socket is registered under a token already, and begins the first phase. The
    /// connection may have ended when this returns. No PROXY header is awaited of a client that comes with a choice.
    func start(registration: EventToken?, _ choice: RouteChoice?) {
        // From here on the end of the client is noticed, also during the dial.
        if let registration {
            token = registration
            core.loop.transfer(registration, to: self)
        } else {
            token = core.loop.insert(self)
            guard let number = relay.client.withSocket({ $0.number }) else { return }
            do {
                try core.loop.add(number, .relay, token: token.with(tag: Self.clientTag))
            } catch {
                end(.error, withReset: true)
                return
            }
        }
        if context.awaitsProxyHeader { awaitHeader() } else { admitted(choice) }
    }

    /// Begins the phase after the client was admitted.
    private func admitted(_ choice: RouteChoice? = nil) {
        if let makeSession = route.hooks.clientSession {
            let session = makeSession(context)
            if let name = choice?.serverName { session.expect(serverName: name) }
            startClientHandshake(session)
            // What the client did in clear is done with the upstream only where that encrypts, too.
            if route.hooks.upstreamSession != nil { relay.client.encrypted?.preface = choice?.preface }
        } else {
            connect(preface: choice?.preface)
        }
    }

    /// Arms the one timer of a phase.
    private func armMainTimer(_ timeout: Duration) {
        core.loop.cancel(&mainTimer)
        mainTimer = core.loop.schedule(
            afterNanoseconds: timeout.clampedNanoseconds, token: token.with(tag: TimerTag.main))
    }

    // MARK: Events

    func descriptorReady(_ events: EventSet, tag: Int) {
        switch phase {
        case .closed: return
        case .relaying, .flushing:
            if tag == Self.clientTag {
                relay.client.note(events)
            } else if tag == Int(upstreamTag) {
                relay.upstream.note(events)
            }
            advance()
        case .awaitingHeader, .handshaking, .dialing, .handshakingUpstream:
            if tag == Self.clientTag {
                clientEvent(events)
            } else if phase == .handshakingUpstream, tag == Int(upstreamTag) {
                relay.upstream.note(events)
                awaitHandshakeStep()
            } else if let connector {
                perform(connector.attemptReady(events, tag: tag))
            }
        }
    }

    /// Handles an event of the client before the relay: a failure, or the bytes of the phase. Other data, or a FIN,
    /// stays in the kernel.
    private func clientEvent(_ events: EventSet) {
        relay.client.note(events)
        // A Unix client that closes its socket hangs up, and what it sent before is to arrive all the same.
        if phase != .handshaking, events.contains(.error) || events.contains(.hangup) && !context.peerAddress.isUnix {
            if phase == .awaitingHeader, relay.client.isEmpty { reject(.probe) } else { clientBroke(.clientReset) }
        } else if phase == .awaitingHeader {
            receiveHeader()
        } else if phase == .handshaking {
            // The session meets the failure of the socket, too, and knows its reason.
            awaitHandshakeStep()
        } else if phase == .handshakingUpstream, !mainTimer.isNone {
            upstreamHandshakeDone()
        }
    }

    private func clientBroke(_ reason: ConnectionCloseReason) {
        relay.client.fail()
        end(reason, withReset: true)
    }

    /// Continues after a lookup has ended, or after the budget of a turn was spent.
    func deferred(tag: Int) {
        switch phase {
        case .closed, .awaitingHeader, .handshaking, .handshakingUpstream: return
        case .dialing: if let connector { perform(connector.nameAnswered()) }
        case .relaying, .flushing: advance()
        }
    }

    func timerFired(tag: Int, deadline: UInt64) {
        switch (phase, tag) {
        case (.closed, _): return
        case (.awaitingHeader, TimerTag.main): headerTimedOut()
        case (.handshaking, TimerTag.main): clientHandshakeTimedOut()
        case (.dialing, _): if let connector { perform(connector.timerFired(tag: tag)) }
        case (.handshakingUpstream, TimerTag.main): if !mainTimer.isNone { upstreamHandshakeDone() }
        case (.handshakingUpstream, _): if let connector { upstreamTimerFired(connector, tag: tag) }
        case (.relaying, TimerTag.main): checkSilence()
        case (_, TimerTag.ingressPause): pauseEnded(.ingress)
        case (_, TimerTag.egressPause): pauseEnded(.egress)
        case (.flushing, TimerTag.flush): checkFlushed()
        default: return
        }
    }

    // MARK: PROXY header of the peer

    /// Waits for the header, within a time limit from the accept.
    private func awaitHeader() {
        phase = .awaitingHeader
        armMainTimer(route.settings.proxyHeaderTimeout)
    }

    private func receiveHeader() {
        switch unsafe relay.client.receiveProxyHeader(buffer: core.relayResources.buffer) {
        case .waiting: return
        case .refused(let reason, let excerpt): refuseHeader(reason, excerpt)
        case .unused: reject(.probe)
        case .broken(let error): clientBroke(ConnectionCloseReason(error, party: .client))
        case .complete(let header):
            core.loop.cancel(&mainTimer)
            context.adopt(header)
            relay.touch(now: core.loop.now)
            route.observer?.proxyHeaderRead(context, version: header.version, worker: core.index)
            if let admit = route.hooks.admit, case .reject(let reason) = admit(context) {
                reject(reason)
            } else {
                admitted()
            }
        }
    }

    private func headerTimedOut() {
        mainTimer = .none
        route.observer?.timedOut(context, kind: .proxyHeader)
        let excerpt = unsafe relay.client.headerExcerpt(buffer: core.relayResources.buffer)
        refuseHeader(.timeout, excerpt)
    }

    private func refuseHeader(_ reason: ProxyHeaderError, _ excerpt: ProxyHeaderExcerpt) {
        route.observer?.proxyHeaderFailed(context, reason: reason, excerpt: excerpt, worker: core.index)
        reject(.proxyProtocol)
    }

    // MARK: Handshakes

    private func startClientHandshake(_ session: any SecureSession) {
        phase = .handshaking
        armMainTimer(route.settings.handshakeTimeout)
        relay.client.secure(with: session)
        awaitHandshakeStep()
    }

    /// Takes a turn in the worker's queue of handshakes. A preface without a session needs none.
    private func awaitHandshakeStep() {
        guard let session = handshakingSession else { return stepUpstreamHandshake() }
        if session.awaitsStep { return }
        session.awaitsStep = true
        core.handshakes.append(token)
    }

    private var handshakingSession: SecureChannel? {
        phase == .handshaking ? relay.client.encrypted : relay.upstream.encrypted
    }

    /// Performs the step whose turn has come.
    func stepHandshake() {
        handshakingSession?.awaitsStep = false
        switch phase {
        case .handshaking: stepClientHandshake()
        case .handshakingUpstream: stepUpstreamHandshake()
        case .awaitingHeader, .dialing, .relaying, .flushing, .closed: break
        }
    }

    private func stepClientHandshake() {
        switch relay.client.handshake() {
        case .waiting: return
        case .yielded: awaitHandshakeStep()
        // With FIN: the session may have told the reason to the client, and a reset could overtake it.
        case .failed: reject(.tls, withReset: false)
        case .refused: reject(relay.client.encrypted?.dialSession?.refusal ?? .tls, withReset: false)
        case .unused: reject(.probe)
        case .broken(let error): clientBroke(ConnectionCloseReason(error, party: .client))
        case .done, .doneUnlessRefused:
            core.loop.cancel(&mainTimer)
            if let reason = judge(relay.client.encrypted?.session) { return reject(reason) }
            connect(preface: relay.client.encrypted?.preface)
        }
    }

    private func clientHandshakeTimedOut() {
        mainTimer = .none
        route.observer?.timedOut(context, kind: .handshake)
        relay.client.handshakeTimedOut()
        reject(.tls)
    }

    // MARK: Dial

    /// Dials an upstream for an admitted client.
    private func connect(preface: UpstreamPreface? = nil) {
        phase = .dialing
        let connector = UpstreamConnector(
            route: route, context: context, core: core, token: token, dialer: TCPDialer(preface: preface))
        helper = .connector(connector)
        perform(connector.start(worker: owner.shared.workers[core.index]))
    }

    func preDialEnded(_ decision: DialDecision) {
        if let connector { perform(connector.decided(decision)) }
    }

    private func perform(_ outcome: consuming DialOutcome) {
        // The connector has given up the connection of a handshake: close it.
        if phase == .handshakingUpstream, connector?.isHandedOut != true || outcome.isConnected { dropUpstream() }
        switch consume outcome {
        case .pending: return
        case .connected(let upstream): upstreamConnected(upstream)
        case .failed(let reason): end(.dialFailed, withReset: !relay.client.dialEnded(.failed(reason)))
        case .rejected(let reason): reject(reason, withReset: !relay.client.dialEnded(.rejected(reason)))
        }
    }

    /// Handles a timer during the upstream's handshake, which may have been the dial's limit.
    private func upstreamTimerFired(_ connector: UpstreamConnector<TCPDialer>, tag: Int) {
        let reason = relay.upstream.encrypted?.dialSession?.timeoutFailure ?? .timeout
        let outcome = connector.timerFired(tag: tag, handshakeFailure: reason)
        if self.connector?.isHandedOut != true { relay.upstream.handshakeTimedOut() }
        perform(outcome)
    }

    /// Handles a connected upstream. With a preface or a session the dial continues, within its timeout.
    private func upstreamConnected(_ found: consuming ConnectedUpstream) {
        guard let connector else { return }
        let (events, address, reached) = (found.events, found.attempt.address, found.member)
        upstreamTag = Int8(found.attempt.tag)
        relay.upstream = RelayEndpoint(
            dialed: found.takeSocket(), expectsSingleResponse: connector.dialer.expectsSingleResponse)
        relay.upstream.note(events)
        guard route.hasUpstreamHandshake || connector.dialer.preface != nil else { return relayBegins(at: address) }
        let session = makeUpstreamSession(reached, connector)
        guard session != nil || connector.dialer.preface != nil else { return relayBegins(at: address) }
        phase = .handshakingUpstream
        // The header for the peer is not encrypted and precedes all else.
        if (session as? any DialSession)?.carriesProxyHeader != true {
            guard sendHeader(), relay.hasSentFirst else { return upstreamHandshakeFailed(.other, nil) }
        }
        connector.dialer.beginPreface()
        if let session { relay.upstream.secure(with: session) }
        awaitHandshakeStep()
    }

    private func makeUpstreamSession(
        _ reached: UpstreamHandle, _ connector: UpstreamConnector<TCPDialer>
    ) -> (any SecureSession)? {
        if let reservation = connector.dialer.takeReservation(),
            let destination = route.state(of: reached)?.upstream.behindAgent
        {
            return reservation.makeSession(
                for: TunnelSessionRequest(
                    destination, clientAddress: context.clientAddress, localAddress: destinationAddress,
                    timeLeft: connector.timeLeft))
        }
        return route.hooks.upstreamSession?(context, route.configuredUpstreams[route.index(of: reached)])
    }

    private func stepUpstreamHandshake() {
        let preface = connector?.dialer.stepPreface(on: &relay.upstream) ?? .done
        switch preface == .done ? relay.upstream.handshake() : preface {
        case .waiting: return
        case .yielded: awaitHandshakeStep()
        case .doneUnlessRefused(let time):
            if relay.client.isReadable { return upstreamHandshakeDone() }
            // The wait for a refusal must not use up the dial, whose end would count as a timeout.
            if mainTimer.isNone { armMainTimer(connector.map { min(time, $0.timeLeft / 2) } ?? time) }
        case .failed, .unused, .refused:
            upstreamHandshakeFailed(relay.upstream.encrypted?.dialSession?.dialFailure ?? .tls, nil)
        case .broken(let error): upstreamHandshakeFailed(DialFailure(error), error)
        case .done: upstreamHandshakeDone()
        }
    }

    private func upstreamHandshakeDone() {
        guard let address = relay.upstream.withSocket({ try? $0.peerAddress() }).flatMap(\.self) else {
            return upstreamHandshakeFailed(.reset, nil)
        }
        // Bytes may wait in the session, for which no event comes.
        relay.upstream.isReadable = true
        relayBegins(at: address)
    }

    private func upstreamHandshakeFailed(_ reason: DialFailure, _ error: SystemError?) {
        guard let connector else { return }
        perform(connector.failed(reason, detail: error))
    }

    /// Closes an upstream whose handshake has not ended.
    private func dropUpstream() {
        relay.dropUpstream(resources: core.relayResources)
        core.loop.cancel(&mainTimer)
        upstreamTag = -1
        phase = .dialing
    }

    /// Reports the end of the connection to the selector.
    private func leaveUpstream() {
        guard let member else { return }
        if relay.upstream.isBroken, relay.egressByteCount == 0 {
            route.selector.brokeUnanswered(member, isAsked: relay.ingressByteCount > 0, now: core.loop.clockTime)
        }
        if relay.hasUpstreamEnded { route.state(of: member)?.returnedDials.noteServer() }
        route.selector.released(member)
    }

    // MARK: Relay

    private func relayBegins(at address: SocketAddress) {
        let hasSentHeader =
            phase == .handshakingUpstream && relay.upstream.encrypted?.dialSession?.carriesProxyHeader != true
        phase = .relaying
        relay.touch(now: core.loop.now)
        member = connector?.settle(at: address)
        helper = .none
        awaitsKeepalive = route.settings.keepalive != nil && !address.isUnix
        armSilenceTimer()
        _ = relay.client.dialEnded(.connected)
        // An upstream that sends first needs the header before it does.
        guard hasSentHeader || sendHeader() else { return end(.error, withReset: true) }
        advance()
    }

    /// Sends the PROXY header to the upstream, if the route has one. Returns false where the backlog has no room for
    /// it.
    private func sendHeader() -> Bool {
        guard let version = route.settings.relayedHeader else { return true }
        let header = proxyHeader(version, destination: destinationAddress)
        return unsafe header.withUnsafeBytes { bytes in
            unsafe relay.sendFirst(bytes, resources: core.relayResources)
        }
    }

    /// The address to which the client connected. A wildcard listener reads it from the socket.
    private var destinationAddress: SocketAddress {
        guard context.localAddress.ip.isWildcard else { return context.localAddress }
        return relay.client.withSocket { try? $0.localAddress() }.flatMap(\.self) ?? context.localAddress
    }

    /// Moves bytes as far as possible, and performs the outcome.
    private func advance() {
        while true {
            switch relay.advance(now: core.loop.now, resources: core.relayResources, owner: self) {
            case .waiting: return
            case .yielded:
                core.loop.defer(token.with(tag: Self.clientTag))
                return
            case .halfClosed:
                armSilenceTimer()
            case .closed(let first):
                end(first == .egress ? .upstreamEOF : .clientEOF, withReset: false)
                return
            case .stopped(let direction, let count):
                if count > 0 { route.observer?.discarded(context, direction: direction, byteCount: count) }
                end(.hook, withReset: true)
                return
            case .broken(let failure):
                if failure.isFlushed {
                    end(ConnectionCloseReason(failure.error, party: failure.party), withReset: true)
                    return
                }
                if phase == .flushing {
                    if failure.isYielded { core.loop.defer(token.with(tag: Self.clientTag)) }
                    return
                }
                beginFlushing(ConnectionCloseReason(failure.error, party: failure.party))
            }
        }
    }

    /// Begins the flush: the remaining endpoint gets all bytes of the failed one, and then the reset.
    private func beginFlushing(_ reason: ConnectionCloseReason) {
        phase = .flushing
        core.loop.cancel(&mainTimer)
        helper = .flushDeadline(FlushDeadline(reason: reason, now: core.loop.now))
        scheduleFlushCheck(after: FlushDeadline.firstDelayNanoseconds)
    }

    private func scheduleFlushCheck(after nanoseconds: UInt64) {
        _ = core.loop.schedule(afterNanoseconds: nanoseconds, token: token.with(tag: TimerTag.flush))
    }

    private func checkFlushed() {
        advance()
        guard phase == .flushing, let flushDeadline else { return }
        switch flushDeadline.check(
            now: core.loop.now, owedByteCount: relay.owedByteCount, lastActivity: relay.lastActivity,
            isPaused: relay.isOwedPaused, isThrottled: relay.isOwedThrottled)
        {
        case .checkAgain(let delay): scheduleFlushCheck(after: delay)
        case .isOver: end(flushDeadline.reason, withReset: true)
        }
    }

    func schedulePause(_ direction: Direction, _ time: Duration) {
        let tag = direction == .ingress ? TimerTag.ingressPause : TimerTag.egressPause
        _ = core.loop.schedule(afterNanoseconds: time.clampedNanoseconds, token: token.with(tag: tag))
    }

    private func pauseEnded(_ direction: Direction) {
        relay.resume(direction, now: core.loop.now)
        if phase == .relaying || phase == .flushing { advance() }
    }

    // MARK: Silence

    /// The silence that ends the connection, in nanoseconds, and its timeout kind; nil where none does.
    private var silence: (limit: UInt64, kind: TimeoutKind)? {
        let idle = route.settings.idleTimeout.map { ($0.clampedNanoseconds, TimeoutKind.idle) }
        guard relay.isHalfClosed else { return idle }
        let halfClose = (route.settings.halfCloseTimeout.clampedNanoseconds, TimeoutKind.halfClose)
        if let idle, idle.0 <= halfClose.0 { return idle }
        return halfClose
    }

    /// The time at which keepalive starts on the upstream's side, on the loop's clock; nil without keepalive, or after
    /// the start. Its four system calls are postponed, because a short connection does not need them. The client's side
    /// inherits keepalive from the listener. The kernel counts the silence from the last byte, also before the start.
    private var keepaliveStart: UInt64? {
        guard awaitsKeepalive, let keepalive = route.settings.keepalive else { return nil }
        return openedAt + min(Self.keepaliveDelayNanoseconds, keepalive.idle.clampedNanoseconds / 2)
    }

    /// Arms the one timer of an idle connection, for silence and for keepalive. Activity only stores its time; the
    /// timer compares it when it fires.
    private func armSilenceTimer() {
        core.loop.cancel(&mainTimer)
        let keepaliveStart = keepaliveStart
        var deadline = keepaliveStart ?? .max
        if let (limit, _) = silence {
            let (silenceEnd, isBeyond) = relay.lastActivity.addingReportingOverflow(limit)
            deadline = min(deadline, isBeyond ? .max : silenceEnd)
        } else if keepaliveStart == nil {
            return
        }
        mainTimer = core.loop.schedule(at: deadline, token: token.with(tag: TimerTag.main))
    }

    private func checkSilence() {
        let now = core.loop.now
        if let keepaliveStart, now >= keepaliveStart, let keepalive = route.settings.keepalive {
            awaitsKeepalive = false
            relay.upstream.withSocket { $0.startKeepalive(keepalive) }
        }
        if relay.isPaused { relay.touch(now: now) }
        if let (limit, kind) = silence, now - min(now, relay.lastActivity) >= limit {
            route.observer?.timedOut(context, kind: kind)
            end(kind == .idle ? .idleTimeout : .halfCloseTimeout, withReset: true)
        } else {
            armSilenceTimer()
        }
    }

    // MARK: Ending

    /// When it began and last moved a byte, and the bytes of both directions.
    var progress: (openedAt: UInt64, lastActivity: UInt64, ingress: UInt64, egress: UInt64) {
        (openedAt, relay.lastActivity, relay.ingressByteCount, relay.egressByteCount)
    }

    /// Tells a client whose dial is in progress of the drain. Returns whether it was told.
    func tellDrained() -> Bool { connector != nil && relay.client.dialEnded(.drained) }

    /// Ends the connection because its upstream is gone; a dial to it goes on with the next one.
    func leave(_ gone: GoneHost) {
        if member == nil, phase != .closed, let connector { perform(connector.leave(gone)) }
        endUpstreamDown(where: gone.has)
    }

    /// Ends the connection before its dial.
    func reject(_ reason: RejectReason, withReset: Bool = true) {
        guard release(withReset: withReset) else { return }
        route.observer?.rejected(context, reason: reason)
        owner.forget(self)
    }

    /// Ends the connection, once. `withReset` resets both sides, to report an error to them.
    func end(_ reason: ConnectionCloseReason, withReset: Bool) {
        guard release(withReset: withReset) else { return }
        route.observer?.connectionClosed(
            context, reason: reason,
            totals: FlowTotals(
                duration: .nanoseconds(core.loop.now - min(core.loop.now, openedAt)),
                ingressBytes: relay.ingressByteCount, egressBytes: relay.egressByteCount, ingressDatagrams: 0,
                egressDatagrams: 0, upstream: member.map(route.index)))
        owner.forget(self)
    }

    /// Releases all resources. Returns false where that was done before.
    private func release(withReset: Bool) -> Bool {
        guard phase != .closed else { return false }
        phase = .closed
        leaveUpstream()
        relay.close(withReset: withReset, resources: core.relayResources, owner: self)
        core.loop.cancel(&mainTimer)
        connector?.cancel()
        helper = .none
        core.loop.remove(token)
        return true
    }
}
