import LinuxIO
import NetworkTypes

/// The checks of all targets, and the order in which they run. Confined to the thread of its loop.
final class CheckTable: EventHandler {
    /// The part of a target that a state belongs to, whatever the times and counts are.
    private struct StateKey: Hashable {
        let address: SocketAddress
        let path: UnixSocketPath?
        let check: HealthCheck
        let source: SocketAddress?
        let encryption: CheckEncryption?
        let carrier: CheckCarrier?

        init(_ target: HealthTarget) {
            address = target.checkedAddress
            path = target.path
            check = target.check
            source = target.source
            encryption = target.encryption
            carrier = target.carrier
        }
    }

    let loop: EventLoop
    let clock: MonotonicClock
    let observer: any HealthObserver
    /// The room that all checks receive into.
    var received = [UInt8](repeating: 0, count: Conversation.maxAnswerBytes)

    private var checks: [HealthTarget: ActiveCheck] = [:]
    /// Checks that wait for their turn, in their order; those before `nextWaiting` have had it. Each target is in it at
    /// most once.
    private var waiting: [ActiveCheck] = []
    private var nextWaiting = 0
    private var inFlight = 0
    private var maxInFlight: Int
    private var token = EventToken.none
    private var isDeferred = false
    /// Whether there are checks without a timer.
    private var hasNew = false
    private var isClosed = false
    private var random = SystemRandomNumberGenerator()

    init(_ loop: EventLoop, observer: any HealthObserver, maxInFlight: Int, clock: MonotonicClock) {
        self.loop = loop
        self.observer = observer
        self.maxInFlight = max(1, maxInFlight)
        self.clock = clock
    }

    // MARK: Targets

    /// See ``HealthChecker/set(_:)``. Runs between turns.
    func set(_ subscriptions: [HealthSubscription]) {
        if isClosed { return }
        if token == .none { token = loop.insert(self) }
        let downTokens = tokensThatAreDown
        let wanted = Dictionary(grouping: subscriptions, by: \.target)
        let known = statesByKey(unlessAll: wanted)
        for (target, check) in checks where wanted[target] == nil {
            check.close()
            checks[target] = nil
        }
        waiting = waiting[nextWaiting...].filter(\.isWaiting)
        nextWaiting = 0
        for (target, subscriptions) in wanted {
            let check: ActiveCheck
            if let present = checks[target] {
                check = present
            } else {
                check = ActiveCheck(target, state: initialState(of: target, subscriptions, downTokens, known), in: self)
                checks[target] = check
                hasNew = true
            }
            check.replace(subscriptions, downTokens: downTokens)
        }
        // The loop's time may be a second old here: what is new is scheduled in the next turn.
        startSoon()
    }

    private var tokensThatAreDown: Set<UInt64> {
        var tokens: Set<UInt64> = []
        for check in checks.values where !check.state.isUp { tokens.formUnion(check.subscriptions.lazy.map(\.token)) }
        return tokens
    }

    /// The states of the targets that there are; none where no target is new, so that no state is taken over.
    private func statesByKey(unlessAll wanted: [HealthTarget: [HealthSubscription]]) -> [StateKey: RiseAndFall] {
        guard wanted.keys.contains(where: { checks[$0] == nil }) else { return [:] }
        var states: [StateKey: RiseAndFall] = [:]
        for (target, check) in checks {
            let key = StateKey(target)
            // Of two with other counts the decided one, or the careful one.
            if let other = states[key], other.isDecided, !check.state.isDecided || !other.isUp { continue }
            states[key] = check.state
        }
        return states
    }

    /// The state of a new target: that of the same check under other times, else the one that its subscriptions were
    /// told before, which the first result may change alone.
    private func initialState(
        of target: HealthTarget, _ subscriptions: [HealthSubscription], _ downTokens: Set<UInt64>,
        _ known: [StateKey: RiseAndFall]
    ) -> RiseAndFall {
        let (fall, rise) = (target.schedule.fall, target.schedule.rise)
        if let state = known[StateKey(target)] {
            return RiseAndFall(fall: fall, rise: rise, isUp: state.isUp, isDecided: state.isDecided)
        }
        let wasDown = subscriptions.contains { downTokens.contains($0.token) }
        return RiseAndFall(fall: fall, rise: rise, isUp: !wasDown)
    }

    /// Closes all checks.
    func close() {
        for check in checks.values { check.close() }
        checks = [:]
        waiting = []
        nextWaiting = 0
        if token != .none { loop.remove(token) }
        token = .none
        isClosed = true
    }

    // MARK: Turns

    var counts: CheckCounts {
        CheckCounts(
            targets: checks.count, inFlight: inFlight,
            waiting: waiting.count - nextWaiting)
    }

    func setMaxInFlight(_ count: Int) {
        maxInFlight = max(1, count)
        startSoon()
    }

    /// Starts a check that is due, now or when it is its turn.
    func request(_ check: ActiveCheck) {
        if inFlight < maxInFlight, nextWaiting == waiting.count {
            inFlight += 1
            check.begin()
        } else {
            waiting.append(check)
            startSoon()
        }
    }

    /// A check has given its descriptor back.
    func ended() {
        inFlight -= 1
        if nextWaiting < waiting.count { startSoon() }
    }

    /// The identifier of a DNS message: random, so that only those who see the question can answer it.
    func makeIdentifier() -> UInt16 { UInt16.random(in: .min ... .max, using: &random) }

    private func startSoon() {
        guard !isDeferred, token != .none else { return }
        isDeferred = true
        loop.defer(token)
    }

    func deferred(tag: Int) {
        isDeferred = false
        if hasNew {
            for check in checks.values where check.isNew { check.scheduleFirst() }
            hasNew = false
        }
        while inFlight < maxInFlight, nextWaiting < waiting.count {
            let check = waiting[nextWaiting]
            nextWaiting += 1
            inFlight += 1
            check.begin()
        }
        // The part that is over goes once it is the greater one: each check is moved once at most.
        if nextWaiting * 2 >= waiting.count {
            waiting.removeFirst(nextWaiting)
            nextWaiting = 0
        }
    }

    func descriptorReady(_ events: EventSet, tag: Int) {}
    func timerFired(tag: Int, deadline: UInt64) {}
}
