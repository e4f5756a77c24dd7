import LinuxIO
import NetworkTypes

/// Everything between "the client is admitted" and "connected": the pre-dial hook, the choice of an upstream, its name's
/// addresses, the attempts at them (RFC 8305), and the times that all this may take. After a failure it goes to the next
/// choice at once, to each upstream once.
///
/// One for TCP and UDP; the difference is behind ``UpstreamDialer``. Every call returns an outcome, which its owner (the
/// connection or session behind `token`) performs; it never calls its owner. It tells the observer and the selector of
/// every dial: each one that begins ends as one success or one failure. It exists only while a connection prepares.
/// Confined to its worker.
final class UpstreamConnector<Dialer: UpstreamDialer> {
    private enum Phase {
        /// A pre-dial hook runs, or nothing has begun.
        case deciding
        /// The name of the chosen upstream has no answer yet.
        case resolving
        /// Attempts are under way.
        case dialing
        /// The owner has a connected socket, and has not said yet that it keeps it: a handshake may follow.
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
    // Exclusivity is not checked at run time on what every dial touches, which saves more than 1 % of the instructions of a
    // new connection: one thread owns the connector, and nothing that is called during an access comes back to it.
    @safe @exclusivity(unchecked) private(set) var dialer: Dialer
    @safe @exclusivity(unchecked) private var attempts = DialAttempts()
    @safe @exclusivity(unchecked) private var timer = TimerWheel.Identifier.none
    @safe @exclusivity(unchecked) private var staggerTimer = TimerWheel.Identifier.none

    private var phase = Phase.deciding
    private var hook: Task<Void, Never>?
    /// The upstream that is dialed, or to which the owner's connection goes.
    private var member: UpstreamHandle?
    /// Whether the observer was told that this upstream was reached: its other addresses are no dials of their own.
    private var isReached = false
    private var tried = TriedUpstreams()
    /// Addresses that were not tried yet.
    private var addresses: ArraySlice<SocketAddress> = []
    /// The last error of this dial, for the log.
    private var lastError: SystemError?
    /// The failure that stands for all of them: the last one of an upstream that had an address, else the last one.
    private var failure: DialFailure?

    /// When the hook, or this dial, began.
    private var startedAt: UInt64 = 0
    /// When all dials together must be over.
    private var deadline = UInt64.max
    private var timerDeadline = UInt64.max
    private var nextAttemptAt = UInt64.max

    /// RFC 8305 section 5: the recommended Connection Attempt Delay, in nanoseconds.
    static var attemptDelay: UInt64 { 250_000_000 }

    init(
        route: RouteSnapshot<Dialer.Settings>, context: StreamContext, core: WorkerCore, token: EventToken,
        dialer: Dialer
    ) {
        self.route = route
        self.context = context
        self.core = core
        self.token = token
        self.dialer = dialer
    }

    deinit {
        assert(timer.isNone && staggerTimer.isNone, "a connector is canceled before it goes")
    }

    /// Whether the owner has a connected socket of this connector's and has not said yet what becomes of it. Where a call
    /// ends that, the connection failed: its owner closes the socket.
    var isHandedOut: Bool { phase == .connected }

    /// Whether there may be another address or another upstream to try.
    var hasOthers: Bool { !addresses.isEmpty || tried.count + 1 < route.upstreams.count }

    // MARK: Beginning

    /// Runs the pre-dial hook where there is one, and dials.
    func start(worker: @autoclosure () -> Worker) -> DialOutcome {
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

    /// The hook has decided.
    func decided(_ decision: DialDecision) -> DialOutcome {
        guard hook != nil else { return .pending }
        leaveHook()
        switch decision {
        case .dial: return dial(nextChoice())
        case .dialUpstream(let index): return dial(route.handle(ofUpstream: index))
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
            return .rejected(.noUpstream)
        }
        deadline = core.loop.deadline(afterNanoseconds: route.settings.dialTimeout.clampedNanoseconds)
        return goOn(after: begin(first))
    }

    // MARK: One upstream after the other

    /// The selector's next choice. One that it must not make is none.
    private func nextChoice() -> UpstreamHandle? {
        guard let choice = route.selector.next(for: context.clientAddress, tried: tried),
            route.holds(choice), !tried.contains(choice)
        else { return nil }
        return choice
    }

    /// Goes from choice to choice until one is under way or connected, or none is left.
    private func goOn(after first: consuming Step) -> DialOutcome {
        var step = first
        while true {
            switch consume step {
            case .pending: return .pending
            case .connected(let upstream): return handOut(upstream)
            case .failed(let reason):
                dialFailed(reason)
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
        member = choice
        isReached = false
        startedAt = core.loop.now
        lastError = nil
        schedule(at: attemptDeadline)
        return lookUp()
    }

    /// When the dial that begins now must be over. Without a setting for it, it has a third of the time as long as other
    /// choices are left.
    private var attemptDeadline: UInt64 {
        let settings = route.settings
        let limit: UInt64
        if let attempt = settings.attemptTimeout {
            limit = attempt.clampedNanoseconds
        } else if tried.count + 1 < route.upstreams.count {
            limit = settings.dialTimeout.clampedNanoseconds / 3
        } else {
            return deadline
        }
        return min(deadline, core.loop.deadline(afterNanoseconds: limit))
    }

    /// A dial ended without success. Other addresses of an upstream that was reached before were none.
    private func dialFailed(_ reason: DialFailure) {
        core.loop.cancel(&staggerTimer)
        attempts.closeAll()
        addresses = []
        guard let member else { return }
        self.member = nil
        tried.insert(member)
        if isReached { return }
        if failure == nil || (reason != .dns && reason != .loop) { failure = reason }
        let index = route.index(of: member)
        route.observer?.dialFailed(context, upstream: index, reason: reason, detail: lastError)
        route.selector.dialEnded(member, failure: reason)
        route.selector.released(member)
        if reason != .canceled { route.requestRefresh(index, now: core.loop.now) }
    }

    // MARK: The addresses of one upstream

    /// The name of an upstream has an answer now.
    func nameAnswered() -> DialOutcome {
        phase == .resolving ? goOn(after: lookUp()) : .pending
    }

    private func lookUp() -> Step {
        guard let member, let state = route.state(of: member) else { return .failed(.other) }
        switch state.answer {
        case .pending:
            phase = .resolving
            state.wait(token, on: core.loop)
            return .pending
        case .unresolvable: return .failed(.dns)
        case .addresses(let all):
            addresses = core.ownListeners.withoutLoops(context.transport, all)
            return addresses.isEmpty ? .failed(.loop) : startAttempts(member, state)
        }
    }

    private func startAttempts() -> Step {
        guard let member, let state = route.state(of: member) else { return .failed(.other) }
        return startAttempts(member, state)
    }

    /// Tries addresses until an attempt is under way.
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
                if !addresses.isEmpty { scheduleNextAttempt() }
                return .pending
            }
        }
        return attempts.isEmpty ? .failed(DialFailure(lastError)) : .pending
    }

    /// A socket of an attempt has events.
    func attemptReady(_ events: EventSet, tag: Int) -> DialOutcome {
        guard phase == .dialing, let attempt = attempts.remove(tag: tag) else { return .pending }
        switch dialer.judge(attempt.socket, events) {
        case .inProgress:
            attempts.insert(attempt.socket, to: attempt.address, tag: tag)
            return .pending
        case .connected:
            guard let member else { return .pending }
            return handOut(ConnectedUpstream(attempt: attempt, events: events, member: member))
        case .failed(let error):
            attempt.socket.close()
            lastError = error
            return goOn(after: startAttempts())
        }
    }

    // MARK: After a connection

    /// The owner keeps the connection that it was given last, whose address this is: the dial was successful.
    /// - Returns: the upstream, which the owner tells to the selector as released at its end.
    @discardableResult func settle(at address: SocketAddress) -> UpstreamHandle? {
        guard phase == .connected, let member else { return nil }
        phase = .settled
        core.loop.cancel(&timer)
        context.upstreamAddress = address
        if isReached { return member }
        isReached = true
        route.observer?.dialed(
            context, upstream: route.index(of: member), duration: .nanoseconds(core.loop.now - startedAt))
        route.selector.dialEnded(member, failure: nil)
        return member
    }

    /// The connection that the owner was given last failed after all, for example in a handshake: the dial has failed,
    /// and goes on with the next upstream. The owner closes the socket.
    func failed(_ reason: DialFailure, detail: SystemError?) -> DialOutcome {
        guard phase == .connected else { return .pending }
        lastError = detail
        return goOn(after: .failed(reason))
    }

    /// The upstream to which a settled connection goes does not take what it is sent, and no answer ever came: goes on with
    /// its other addresses, and with other upstreams. The owner keeps what it has until it is given another connection,
    /// which it settles for at once, and also where ``DialOutcome/failed(_:)`` comes back.
    func goElsewhere() -> DialOutcome {
        guard phase == .settled else { return .pending }
        deadline = core.loop.deadline(afterNanoseconds: route.settings.dialTimeout.clampedNanoseconds)
        return goOn(after: startAttempts())
    }

    /// Takes over a settled connection to `member`, for ``goElsewhere()``: every address of it but the present one, and
    /// every other upstream, may be tried.
    func adopt(_ member: UpstreamHandle, at address: SocketAddress?) {
        self.member = member
        isReached = true
        phase = .settled
        guard case .addresses(let all) = route.state(of: member)?.answer else { return }
        addresses = core.ownListeners.withoutLoops(context.transport, all).filter { $0 != address }[...]
    }

    // MARK: Timers

    /// Numbers of the timers, out of those that owners use for their own (``EventToken/tag``).
    enum TimerTag {
        static var deadline: Int { 6 }
        static var stagger: Int { 7 }
    }

    /// A timer of the connector's is due. One that was canceled in the same turn may still come: its time tells.
    func timerFired(tag: Int) -> DialOutcome {
        let now = core.loop.now
        if tag == TimerTag.stagger {
            guard phase == .dialing, now >= nextAttemptAt else { return .pending }
            return goOn(after: startAttempts())
        }
        guard now >= timerDeadline else { return .pending }
        core.loop.cancel(&timer)
        switch phase {
        case .deciding: return hookTimedOut()
        case .resolving, .dialing, .connected: return dialTimedOut()
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

    private func dialTimedOut() -> DialOutcome {
        let reason: DialFailure = phase == .resolving ? .dns : .timeout
        if core.loop.now >= deadline {
            route.observer?.timedOut(context, kind: .dial)
            dialFailed(reason)
            return fail(reason)
        }
        // The selector may have no other choice left although there are other members.
        if let member { tried.insert(member) }
        let next = nextChoice()
        if next == nil, route.settings.attemptTimeout == nil {
            schedule(at: deadline)
            return .pending
        }
        route.observer?.timedOut(context, kind: .dial)
        dialFailed(reason)
        guard let next else { return fail(reason) }
        return goOn(after: begin(next))
    }

    private func schedule(at deadline: UInt64) {
        core.loop.cancel(&timer)
        timerDeadline = deadline
        timer = core.loop.schedule(at: deadline, token: token.with(tag: TimerTag.deadline))
    }

    private func scheduleNextAttempt() {
        nextAttemptAt = core.loop.deadline(afterNanoseconds: Self.attemptDelay)
        staggerTimer = core.loop.schedule(at: nextAttemptAt, token: token.with(tag: TimerTag.stagger))
    }

    // MARK: Ending

    /// The owner ends, or needs the connector no longer. Gives everything back; doing it twice does nothing.
    func cancel() {
        leaveHook()
        if phase != .settled, member != nil { dialFailed(.canceled) }
        core.loop.cancel(&timer)
        core.loop.cancel(&staggerTimer)
        attempts.closeAll()
        phase = .ended
    }
}
