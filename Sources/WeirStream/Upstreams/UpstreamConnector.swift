// Length: one state machine in one file, so that its state is private.
import LinuxIO
import NetworkTypes

/// Connects an admitted client to an upstream: it runs the pre-dial hook, chooses an upstream, waits for the addresses
/// of its name, attempts them (RFC 8305), and bounds the time of each step. After a failure it continues with the next
/// choice at once, and tries each upstream once.
///
/// TCP and UDP share it; they differ in their ``UpstreamDialer``. Every call returns an outcome, which its owner (the
/// connection or session of `token`) performs; it never calls its owner. It reports every dial to the observer and the
/// selector: each dial ends as one success or one failure. It exists only while a connection is prepared. Confined to
/// its worker.
final class UpstreamConnector<Dialer: UpstreamDialer> {
    private enum Phase {
        /// A pre-dial hook runs, or nothing has begun.
        case deciding
        /// The lookup of the chosen upstream's name has not ended yet.
        case resolving
        /// Attempts are in progress.
        case dialing
        /// The owner has a connected socket, and has not settled for it yet: a handshake may follow.
        case connected
        /// The owner keeps the connection.
        case settled
        case ended
    }

    /// The outcome of one upstream.
    private enum Step: ~Copyable {
        case pending
        case connected(ConnectedUpstream)
        case failed(DialFailure)
    }

    private let route: RouteSnapshot<Dialer.Settings>
    private let context: StreamContext
    private let core: WorkerCore
    private let token: EventToken
    private let mark: ChainMark
    // Exclusivity is not checked at run time on the fields of every dial, which saves more than 1 % of the instructions
    // of a new connection: one thread owns the connector, and no call during an access reaches it again.
    @safe @exclusivity(unchecked) var dialer: Dialer
    @safe @exclusivity(unchecked) private var attempts = DialAttempts()
    @safe @exclusivity(unchecked) private var timer = TimerWheel.Identifier.none
    @safe @exclusivity(unchecked) private var staggerTimer = TimerWheel.Identifier.none

    private var phase = Phase.deciding
    private var hook: Task<Void, Never>?
    /// The upstream that is dialed, or the one of the owner's connection.
    private var member: UpstreamHandle?
    /// Whether this upstream was reported as reached: attempts at its other addresses are then not reported as dials.
    private var isReached = false
    private var tried = TriedUpstreams()
    /// The addresses that the client has asked for; nil where those of the upstreams are dialed.
    private var target: DialTarget?
    /// The addresses that are left to try.
    private var addresses: ArraySlice<SocketAddress> = []
    /// The last error of this dial, for the log.
    private var lastError: SystemError?
    /// The failure to report for all dials: the last one of an upstream that had an address, else the last one.
    private var failure: DialFailure?

    /// The time when the hook, or this dial, began.
    private var startedAt: UInt64 = 0
    /// The time when all dials together must have ended.
    private var deadline = UInt64.max
    private var timerDeadline = UInt64.max
    private var nextAttemptAt = UInt64.max
    /// The delay after which an upstream that was busy is tried again.
    private var busyDelayNanoseconds: UInt64 = 0

    /// The Connection Attempt Delay that RFC 8305 section 5 recommends.
    static var attemptDelayNanoseconds: UInt64 { 250_000_000 }
    /// The delays after which a busy upstream is tried again: each is twice as long as the one before.
    private static var busyDelays: ClosedRange<UInt64> { 5_000_000...100_000_000 }

    init(
        route: RouteSnapshot<Dialer.Settings>, context: StreamContext, core: WorkerCore, token: EventToken,
        dialer: Dialer, mark: ChainMark = .unknown
    ) {
        self.route = route
        self.context = context
        self.core = core
        self.token = token
        self.dialer = dialer
        self.mark = mark
    }

    deinit { assert(timer.isNone && staggerTimer.isNone, "a connector is canceled before it is released") }

    /// Whether the owner has a connected socket that it has neither settled for nor handed back. Where a call makes
    /// this false, the connection has failed: its owner closes the socket.
    var isHandedOut: Bool { phase == .connected }

    /// The time that is left for the dial of the current upstream.
    var timeLeft: Duration { .nanoseconds(timerDeadline - min(timerDeadline, core.loop.now)) }

    /// Whether another address or another upstream may be left to try.
    var hasOthers: Bool { !addresses.isEmpty || hasOtherUpstreams }

    private var hasOtherUpstreams: Bool { target == nil && tried.count + 1 < route.upstreams.count }

    // MARK: Beginning

    /// Runs the hooks, if any, and dials.
    func start(worker: @autoclosure () -> Worker) -> DialOutcome {
        if let decide = route.hooks.decide, let decision = decide(context) { return act(on: decision) }
        guard let preDial = route.hooks.preDial else { return dial(nextChoice()) }
        guard core.enterPreDial() else {
            phase = .ended
            return .rejected(.hook)
        }
        startedAt = core.loop.now
        schedule(at: core.loop.deadline(afterNanoseconds: route.settings.preDialTimeout.clampedNanoseconds))
        hook = PreDial.start(preDial, request: DialRequest(context), token: token, worker: worker())
        return .pending
    }

    /// Applies the decision of the hook.
    func decided(_ decision: DialDecision) -> DialOutcome {
        guard hook != nil else { return .pending }
        leaveHook()
        return act(on: decision)
    }

    private func act(on decision: DialDecision) -> DialOutcome {
        switch decision {
        case .dial: return dial(nextChoice())
        case .dialUpstream(let index):
            guard let member = route.handle(ofUpstream: index) else {
                phase = .ended
                return .rejected(.noUpstream)
            }
            return dial(route.selector.accepts(member, now: core.loop.clockTime) ? member : nextChoice())
        case .dialTarget(let wanted):
            guard let member = route.handle(ofUpstream: wanted.upstream) else {
                phase = .ended
                return .rejected(.noUpstream)
            }
            target = wanted
            return dial(member)
        case .reject(let reason):
            phase = .ended
            return .rejected(reason)
        }
    }

    private func leaveHook() {
        guard let task = hook else { return }
        task.cancel()
        hook = nil
        core.loop.cancel(&timer)
        route.observer?.preDialFinished(context, duration: .nanoseconds(core.loop.now - startedAt))
    }

    private func dial(_ first: UpstreamHandle?) -> DialOutcome {
        guard let first else {
            phase = .ended
            return .rejected(route.selector.rejectReason)
        }
        let limit = min(route.settings.dialTimeout, target?.timeout ?? route.settings.dialTimeout)
        deadline = core.loop.deadline(afterNanoseconds: limit.clampedNanoseconds)
        return goOn(after: begin(first))
    }

    // MARK: Upstreams in turn

    /// Returns the selector's next choice; nil where it has none, or where the choice is invalid.
    private func nextChoice() -> UpstreamHandle? {
        guard target == nil,
            let choice = route.selector.next(for: context.clientAddress, tried: tried, now: core.loop.clockTime),
            route.holds(choice), !tried.contains(choice)
        else { return nil }
        return choice
    }

    /// Dials one choice after the other until an attempt is in progress or connected, or no choice is left.
    ///
    /// `isConnected` tells that the first failure is one of a handshake.
    private func goOn(after first: consuming Step, isConnected: Bool = false) -> DialOutcome {
        var step = first
        var isConnected = isConnected
        while true {
            switch consume step {
            case .pending: return .pending
            case .connected(let upstream): return handOut(upstream)
            case .failed(let reason):
                dialFailed(reason, isConnected: isConnected)
                isConnected = false
                guard let next = nextChoice() else { return fail(reason) }
                step = begin(next)
            }
        }
    }

    private func handOut(_ upstream: consuming ConnectedUpstream) -> DialOutcome {
        phase = .connected
        core.loop.cancel(&staggerTimer)
        attempts.closeAll()
        return .connected(upstream)
    }

    private func fail(_ last: DialFailure) -> DialOutcome {
        phase = .ended
        core.loop.cancel(&timer)
        return .failed(failure ?? last)
    }

    private func begin(_ choice: UpstreamHandle) -> Step {
        route.selector.chosen(choice)
        context.dialBegins(isFirst: tried.isEmpty)
        member = choice
        isReached = false
        startedAt = core.loop.now
        lastError = nil
        busyDelayNanoseconds = Self.busyDelays.lowerBound
        schedule(at: attemptDeadline)
        return lookUp()
    }

    /// The deadline of a dial that begins now. Without a setting, it is a third of the dial timeout while other
    /// upstreams are left, else the deadline of all dials.
    private var attemptDeadline: UInt64 {
        let settings = route.settings
        let limit: UInt64
        if let attempt = settings.attemptTimeout {
            limit = attempt.clampedNanoseconds
        } else if hasOtherUpstreams {
            limit = settings.dialTimeout.clampedNanoseconds / 3
        } else {
            return deadline
        }
        return min(deadline, core.loop.deadline(afterNanoseconds: limit))
    }

    /// Ends a failed dial. Attempts at other addresses of an upstream that was reached are not reported.
    private func dialFailed(_ cause: DialFailure, isConnected: Bool) {
        core.loop.cancel(&staggerTimer)
        attempts.closeAll()
        let hasReservation = dialer.hasReservation
        dialer.dialFailed()
        addresses = []
        guard let member else { return }
        self.member = nil
        tried.insert(member)
        let reason = isConnected ? cause : failure(cause, inFrontOf: member, isTried: hasReservation)
        if cause == .refused { route.state(of: member)?.returnedDials.noteServer() }
        if isReached { return }
        if failure == nil || !reason.isAboutName { failure = reason }
        let index = route.index(of: member)
        route.observer?.dialFailed(context, upstream: index, reason: reason, detail: lastError)
        route.selector.dialEnded(member, failure: reason, now: core.loop.clockTime)
        route.selector.released(member)
        if reason != .canceled { route.requestRefresh(index, now: core.loop.now) }
    }

    /// The failure of a dial whose upstream could not be connected. That of an agent is the agent's, which hears of it
    /// where it was tried, or its name has no address: a dial that only waited for its turn says nothing about it.
    private func failure(_ cause: DialFailure, inFrontOf member: UpstreamHandle, isTried: Bool) -> DialFailure {
        guard cause.isOfAgent, let tunnel = route.state(of: member)?.tunnel else { return cause }
        if isTried || cause.isAboutName { tunnel.connectFailed(cause) }
        return .agent
    }

    // MARK: Addresses of one upstream

    /// Continues after a lookup of the upstream's name has ended.
    func nameAnswered() -> DialOutcome {
        phase == .resolving ? goOn(after: lookUp()) : .pending
    }

    /// Whether another proxy at this address may dial back to us. Where the route's upstreams answer, clients of this
    /// machine that ask from other addresses of it are no such chain.
    private func mayComeBack(_ address: SocketAddress) -> Bool {
        // A client of a Unix socket is on this machine.
        let peer = context.peerAddress.isUnix ? .loopbackIPv6 : context.peerAddress.ip
        if address.ip == peer { return true }
        return route.answers?.hasAnswer != true && core.ownListeners.goesBack(address.ip, to: peer)
    }

    private func lookUp() -> Step {
        guard let member, let state = route.state(of: member) else { return .failed(.other) }
        switch target.map({ NameAnswer.addresses($0.addresses) }) ?? state.answer {
        case .pending:
            phase = .resolving
            state.wait(token, on: core.loop)
            return .pending
        case .unresolvable(let failure): return .failed(DialFailure(failure))
        case .addresses(let all):
            let now = core.loop.now
            if state.upstream.host.unixPath != nil, core.ownListeners.wouldLoop(context.transport, state.upstream) {
                return .failed(.loop)
            }
            let reachable = route.settings.reachable(all)
            if reachable.isEmpty { return .failed(.addressUnavailable) }
            addresses = core.ownListeners.withoutLoops(
                context.transport, state.families.dialOrder(reachable, now: now))
            if addresses.contains(where: mayComeBack), !state.returnedDials.allow(mark, now: now) {
                return .failed(.loop)
            }
            return addresses.isEmpty ? .failed(.loop) : startAttempts(member, state)
        }
    }

    private func startAttempts() -> Step {
        guard let member, let state = route.state(of: member) else { return .failed(.other) }
        return startAttempts(member, state)
    }

    /// Tries addresses until an attempt is in progress.
    private func startAttempts(_ member: UpstreamHandle, _ state: UpstreamState) -> Step {
        phase = .dialing
        core.loop.cancel(&staggerTimer)
        while !addresses.isEmpty, let tag = attempts.takeTag(), let address = addresses.popFirst() {
            switch dialer.start(
                address, of: state, settings: route.settings, loop: core.loop, token: token.with(tag: tag))
            {
            case .failed(let error): lastError = error
            case .connected(let socket):
                return .connected(
                    ConnectedUpstream(
                        attempt: DialAttempt(socket: socket, address: address, tag: tag), events: .writable,
                        member: member))
            case .inProgress(let socket):
                attempts.insert(socket, to: address, tag: tag)
                if !addresses.isEmpty { scheduleNextAttempt(after: Self.attemptDelayNanoseconds) }
                return .pending
            case .busy:
                addresses.insert(address, at: addresses.startIndex)
                scheduleNextAttempt(after: busyDelayNanoseconds)
                busyDelayNanoseconds = min(busyDelayNanoseconds * 2, Self.busyDelays.upperBound)
                return .pending
            }
        }
        return attempts.isEmpty ? .failed(DialFailure(lastError)) : .pending
    }

    /// Handles events of an attempt's socket.
    func attemptReady(_ events: EventSet, tag: Int) -> DialOutcome {
        guard phase == .dialing, let attempt = attempts.remove(tag: tag) else { return .pending }
        switch dialer.judge(attempt.socket, events) {
        case .inProgress:
            attempts.insert(attempt.socket, to: attempt.address, tag: tag)
            return .pending
        case .connected:
            guard let member else { return .pending }
            if !attempts.isEmpty { route.state(of: member)?.families.note(attempt.address, now: core.loop.now) }
            return handOut(ConnectedUpstream(attempt: attempt, events: events, member: member))
        case .failed(let error):
            attempt.socket.close()
            lastError = error
            return goOn(after: startAttempts())
        }
    }

    // MARK: After a connection

    /// Ends a successful dial: the owner keeps its connection, which goes to this address.
    /// - Returns: the upstream, which the owner reports to the selector as released when the connection ends.
    @discardableResult func settle(at address: SocketAddress) -> UpstreamHandle? {
        guard phase == .connected, let member else { return nil }
        phase = .settled
        core.loop.cancel(&timer)
        context.upstreamAddress = address
        context.upstream = route.index(of: member)
        if isReached { return member }
        isReached = true
        route.observer?.dialed(
            context, upstream: route.index(of: member), duration: .nanoseconds(core.loop.now - startedAt))
        route.selector.dialEnded(member, failure: nil, now: core.loop.clockTime)
        return member
    }

    /// Ends a dial whose connection failed in the owner's hands, for example in a handshake, and continues with the
    /// next upstream. The owner closes the socket.
    func failed(_ reason: DialFailure, detail: SystemError?) -> DialOutcome {
        guard phase == .connected else { return .pending }
        lastError = detail
        return goOn(after: .failed(reason), isConnected: true)
    }

    /// Leaves an upstream that refuses the datagrams of a settled connection and never answered: tries its other
    /// addresses, and other upstreams. The owner keeps its connection until it gets another one, for which it settles
    /// at once. It also keeps its connection after ``DialOutcome/failed(_:)``.
    func goElsewhere() -> DialOutcome {
        guard phase == .settled else { return .pending }
        deadline = core.loop.deadline(afterNanoseconds: route.settings.dialTimeout.clampedNanoseconds)
        return goOn(after: startAttempts())
    }

    /// Dials another upstream than `member`, whose connection the owner has and keeps until then. The outcome is a
    /// failure where there is no other choice.
    func leave(_ member: UpstreamHandle) -> DialOutcome {
        guard phase == .deciding, hook == nil else { return .pending }
        tried.insert(member)
        guard let next = nextChoice() else { return fail(.canceled) }
        context.dialsBeginAnew()
        deadline = core.loop.deadline(afterNanoseconds: route.settings.dialTimeout.clampedNanoseconds)
        return goOn(after: begin(next))
    }

    /// Leaves an upstream at a host that is gone, and continues with the next choice at once. Does nothing where
    /// another one is dialed. The owner closes a socket that it was handed.
    func leave(_ gone: GoneHost) -> DialOutcome {
        guard phase == .resolving || phase == .dialing || phase == .connected, let member,
            let upstream = route.state(of: member)?.upstream, gone.has(upstream)
        else { return .pending }
        return goOn(after: .failed(.canceled))
    }

    /// Takes over a settled connection for ``goElsewhere()``: other addresses and all other upstreams are left to try.
    func adopt(_ member: UpstreamHandle, at address: SocketAddress?) {
        self.member = member
        isReached = true
        phase = .settled
        guard case .addresses(let all) = route.state(of: member)?.answer else { return }
        let reachable = route.settings.reachable(all)
        addresses = core.ownListeners.withoutLoops(context.transport, reachable).filter { $0 != address }[...]
    }

    // MARK: Timers

    /// The tags of the connector's timers (``EventToken/tag``). Owners use lower ones.
    enum TimerTag {
        static var deadline: Int { 6 }
        static var stagger: Int { 7 }
    }

    /// Handles a timer of the connector. A timer that was canceled in this turn may still fire: the times tell them
    /// apart. `handshakeFailure` is the reason where the handshake with a connected upstream takes too long.
    func timerFired(tag: Int, handshakeFailure: DialFailure = .timeout) -> DialOutcome {
        let now = core.loop.now
        if tag == TimerTag.stagger {
            guard phase == .dialing, now >= nextAttemptAt else { return .pending }
            return goOn(after: startAttempts())
        }
        guard now >= timerDeadline else { return .pending }
        core.loop.cancel(&timer)
        switch phase {
        case .deciding: return hookTimedOut()
        case .resolving: return dialTimedOut(.dnsTimeout)
        case .dialing: return dialTimedOut(.timeout)
        case .connected: return dialTimedOut(handshakeFailure)
        case .settled, .ended: return .pending
        }
    }

    private func hookTimedOut() -> DialOutcome {
        guard hook != nil else { return .pending }
        route.observer?.timedOut(context, kind: .preDial)
        leaveHook()
        phase = .ended
        return .rejected(.hook)
    }

    private func dialTimedOut(_ reason: DialFailure) -> DialOutcome {
        let isConnected = phase == .connected
        if core.loop.now >= deadline {
            route.observer?.timedOut(context, kind: .dial)
            dialFailed(reason, isConnected: isConnected)
            return fail(reason)
        }
        // The selector may have no other choice although there are other members.
        if let member { tried.insert(member) }
        let next = nextChoice()
        if next == nil, route.settings.attemptTimeout == nil {
            schedule(at: deadline)
            return .pending
        }
        route.observer?.timedOut(context, kind: .dial)
        dialFailed(reason, isConnected: isConnected)
        guard let next else { return fail(reason) }
        return goOn(after: begin(next))
    }

    private func schedule(at deadline: UInt64) {
        core.loop.cancel(&timer)
        timerDeadline = deadline
        timer = core.loop.schedule(at: deadline, token: token.with(tag: TimerTag.deadline))
    }

    private func scheduleNextAttempt(after delay: UInt64) {
        nextAttemptAt = core.loop.deadline(afterNanoseconds: delay)
        staggerTimer = core.loop.schedule(at: nextAttemptAt, token: token.with(tag: TimerTag.stagger))
    }

    // MARK: Ending

    /// Ends the connector, and releases its timers, sockets and hook. A second call has no effect.
    func cancel() {
        leaveHook()
        if phase != .settled, member != nil { dialFailed(.canceled, isConnected: phase == .connected) }
        core.loop.cancel(&timer)
        core.loop.cancel(&staggerTimer)
        attempts.closeAll()
        phase = .ended
    }
}
