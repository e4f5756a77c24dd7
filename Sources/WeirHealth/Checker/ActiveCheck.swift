import LinuxIO
import NetworkTypes

/// The check of one target: when it is due, the attempt that is under way, and the state that its results make.
/// Confined to the thread of its loop.
final class ActiveCheck: EventHandler {
    private enum Phase {
        /// It was added, and has no timer yet.
        case new
        /// The timer says when the next attempt is due.
        case resting
        /// It is due, and waits for its turn.
        case waiting
        /// An attempt is under way; the timer is its timeout.
        case running
        /// The result is told, and the conversation ends in order; the timer bounds that.
        case leaving
        case closed
    }

    private static let maxLeavingNanoseconds: UInt64 = 1_000_000_000
    /// The pause before a member that is busy is tried again, within the timeout.
    private static let busyDelayNanoseconds: UInt64 = 20_000_000

    private enum TimerTag {
        static let main = 0
        static let busy = 1
    }

    private let target: HealthTarget
    private let address: SocketAddress
    private let maker: ConversationMaker
    private(set) var subscriptions: [HealthSubscription] = []
    private(set) var state: RiseAndFall
    /// The outcome that decided the state.
    private var cause: CheckOutcome?

    // `unowned`: the table owns its checks, and closes them before it goes.
    private unowned let table: CheckTable
    private var loop: EventLoop { table.loop }
    private var token = EventToken.none
    private var timer = TimerWheel.Identifier.none
    private var phase = Phase.new
    private var attempt: CheckAttempt?
    private var spread: CheckSpread
    /// The time for which the current attempt was due, on the loop's clock.
    private var dueTime: UInt64 = 0
    /// The clock when the attempt began.
    private var startTime: UInt64 = 0

    init(_ target: HealthTarget, state: RiseAndFall, in table: CheckTable) {
        self.target = target
        self.state = state
        self.table = table
        address = target.checkedAddress
        // Without the interface of a scoped address, which means nothing to the member.
        let name = address.isUnix ? "localhost" : SocketAddress(address.ip, port: address.port).description
        maker = ConversationMaker(target.check, address: name)
        spread = CheckSpread(target)
        token = table.loop.insert(self)
    }

    var isNew: Bool { phase == .new }
    var isWaiting: Bool { phase == .waiting }

    // MARK: Subscriptions

    /// Takes over other subscriptions, and tells those that know another state. `downTokens` are those that were told
    /// that their member is down.
    func replace(_ subscriptions: [HealthSubscription], downTokens: Set<UInt64>) {
        self.subscriptions = subscriptions
        for subscription in subscriptions where downTokens.contains(subscription.token) == state.isUp {
            table.observer.changed(subscription, isUp: state.isUp, cause: cause)
        }
    }

    /// Ends it, without a result.
    func close() {
        let hasSlot = phase == .running || phase == .leaving
        phase = .closed
        attempt?.close()
        attempt = nil
        loop.cancel(&timer)
        loop.remove(token)
        if hasSlot { table.ended() }
    }

    // MARK: Schedule

    /// Arms the timer of the first attempt.
    func scheduleFirst() {
        rest(until: loop.deadline(afterNanoseconds: target.schedule.firstDelay(&spread)))
    }

    private func rest(until deadline: UInt64) {
        phase = .resting
        dueTime = deadline
        timer = loop.schedule(at: deadline, token: token)
    }

    /// Arms the timer of the next attempt, counted from when this one was due; at once where that is over.
    private func scheduleNext() {
        let gap = target.schedule.gap(isInDoubt: state.isInDoubt, &spread)
        let (due, isBeyond) = dueTime.addingReportingOverflow(gap)
        rest(until: isBeyond ? .max : max(due, loop.now))
    }

    func timerFired(tag: Int, deadline: UInt64) {
        if tag == TimerTag.busy {
            // The attempt may be over, and another one under way: that has a timer of its own.
            if phase == .running, let attempt, attempt.isBusy { connect(attempt) }
            return
        }
        timer = .none
        switch phase {
        case .resting:
            phase = .waiting
            table.request(self)
        case .running:
            if let attempt { finish(attempt.timeoutOutcome) }
        case .leaving: leave()
        case .new, .waiting, .closed: break
        }
    }

    func deferred(tag: Int) {}

    // MARK: Attempts

    /// Begins an attempt; the table has made room for it.
    func begin() {
        phase = .running
        timer = loop.schedule(afterNanoseconds: target.schedule.timeout.clampedNanoseconds, token: token)
        startTime = table.clock.nanoseconds
        do throws(SystemError) {
            let (conversation, opening) = maker.make(identifier: table.makeIdentifier())
            let attempt = try CheckAttempt(
                to: address, at: target.path, from: target.source, over: target.check.transport, conversation,
                opening: opening, session: target.makeSession())
            self.attempt = attempt
            connect(attempt)
        } catch {
            skip(error)
        }
    }

    private func connect(_ attempt: CheckAttempt) {
        let progress = attempt.connect()
        do throws(SystemError) {
            if case .pending = progress { try attempt.register(on: loop, token: token) }
            perform(progress)
        } catch {
            skip(error)
        }
    }

    func descriptorReady(_ events: EventSet, tag: Int) {
        switch phase {
        case .running: if let attempt { perform(attempt.advance(events, receivingInto: &table.received)) }
        case .leaving: if attempt?.isLeft(receivingInto: &table.received) ?? true { leave() }
        case .new, .resting, .waiting, .closed: break
        }
    }

    private func perform(_ progress: CheckAttempt.Progress) {
        switch progress {
        case .pending: break
        case .busy:
            _ = loop.schedule(afterNanoseconds: Self.busyDelayNanoseconds, token: token.with(tag: TimerTag.busy))
        case .passed: finish(.success(durationNanoseconds: table.clock.nanoseconds - startTime))
        case .failed(let outcome): finish(outcome)
        case .impossible(let error): skip(error)
        }
    }

    /// The attempt has an outcome.
    private func finish(_ outcome: CheckOutcome) {
        loop.cancel(&timer)
        tell(outcome)
        if attempt?.beginLeaving(receivingInto: &table.received) ?? false {
            phase = .leaving
            timer = loop.schedule(afterNanoseconds: Self.maxLeavingNanoseconds, token: token)
        } else {
            leave()
        }
    }

    private func leave() {
        loop.cancel(&timer)
        attempt?.close()
        attempt = nil
        table.ended()
        scheduleNext()
    }

    /// This machine could not make the attempt.
    private func skip(_ error: SystemError) {
        loop.cancel(&timer)
        for subscription in subscriptions { table.observer.notChecked(subscription, error) }
        leave()
    }

    private func tell(_ outcome: CheckOutcome) {
        for subscription in subscriptions { table.observer.checked(subscription, outcome) }
        guard state.note(isSuccess: outcome.result.isSuccess) else { return }
        cause = outcome
        for subscription in subscriptions { table.observer.changed(subscription, isUp: state.isUp, cause: outcome) }
    }
}
