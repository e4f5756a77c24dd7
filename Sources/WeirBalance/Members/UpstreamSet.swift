// Length: the states of the members and their changes under one lock, which is private.
import LinuxIO
import NetworkTypes
import Synchronization
import Threading
import WeirStream

/// The upstreams of one route, shared by all workers: which of them take clients, how many connections each has, and
/// the policy that chooses. It does no I/O and reads no clock: every call brings the time, in nanoseconds of one
/// monotonic clock, that of the engine's workers.
///
/// It lives as long as the route: ``update(_:now:)`` lays a new configuration over it, and members that stay keep their
/// state and counts. A choice takes no lock; a change of a member's state does, on the thread that reports its cause.
/// Safe from any thread.
public final class UpstreamSet: Sendable {
    /// A member with what only the lock's holder sees.
    private struct Entry: Sendable {
        var member: BalancedMember
        let record: MemberRecord
        /// The state that the observer knows.
        var state = MemberState.up
        var cause: StateChangeCause?
        var changedAt: UInt64
        /// The ejections without a success between them.
        var level = 0
    }

    private struct State: Sendable {
        var configuration: BalanceConfiguration
        var entries: [Entry] = []
        /// Members that have left while connections used them: one that comes back is the same one.
        var departed: [Entry] = []
        var blocks: [CountBlock] = []
        var generation = 0
    }

    private let transport: Transport
    let observer: (any UpstreamSetObserver)?
    private let tables: MaglevTables
    private let state: Lock<State>
    /// Counts the changes that selectors must see.
    let version = Atomic<UInt64>(1)

    /// The longest time for which a member is suspect while no probe reports.
    private static let maxSuspicion: UInt64 = 10_000_000_000

    /// Creates the set; every member is up at first. Takes milliseconds with ``BalanceMethod/maglev``: not on a worker.
    ///
    /// - Parameters:
    ///   - transport: the transport of the route: it decides how a break before the first answer is judged.
    ///   - tables: shared by sets with the same members, which then share their table.
    /// - Throws: ``BalanceError`` for an invalid configuration.
    public init(
        _ configuration: BalanceConfiguration, transport: Transport, observer: (any UpstreamSetObserver)? = nil,
        tables: MaglevTables = MaglevTables(), now: UInt64
    ) throws(BalanceError) {
        try configuration.validate()
        self.transport = transport
        self.observer = observer
        self.tables = tables
        state = Lock(State(configuration: configuration))
        state.withLock { state in adopt(configuration, &state, now: now) }
    }

    // MARK: Configuration

    /// Lays a new configuration over the set. A member keeps its state and counts where its name stays, or where it has
    /// a new name and its address is that of a member that has gone. Connections to members that have left end by
    /// themselves. Takes milliseconds with ``BalanceMethod/maglev``: not on a worker.
    ///
    /// - Returns: the maker of selectors for this configuration, whose members are those of its list, in order.
    /// - Throws: ``BalanceError`` for an invalid configuration; nothing has changed then.
    @discardableResult
    public func update(
        _ configuration: BalanceConfiguration, now: UInt64
    ) throws(BalanceError) -> StreamHooks.MakeSelector {
        try configuration.validate()
        let places = MaglevPlaces.make(configuration, tables)
        let layout = state.withLock { state in
            adopt(configuration, &state, now: now)
            return Self.layout(of: state, places)
        }
        return selectorMaker(layout)
    }

    /// Returns the maker of selectors for the present configuration, for ``StreamHooks/makeSelector``. The engine's
    /// members must be those of the configuration, in order.
    public func makeSelector() -> StreamHooks.MakeSelector {
        while true {
            let (configuration, generation) = state.withLock { ($0.configuration, $0.generation) }
            let places = MaglevPlaces.make(configuration, tables)
            let layout = state.withLock { $0.generation == generation ? Self.layout(of: $0, places) : nil }
            // Each further round follows an update by another thread.
            if let layout { return selectorMaker(layout) }
        }
    }

    private static func layout(of state: State, _ places: [MaglevPlaces]) -> MemberLayout {
        MemberLayout(
            state.configuration, records: state.entries.map(\.record), generation: state.generation, places: places)
    }

    private func selectorMaker(_ layout: MemberLayout) -> StreamHooks.MakeSelector {
        { [self] members, worker in
            precondition(members.count == layout.count, "the set has other members than the route")
            let handles = members.map(\.handle)
            return switch layout.configuration.method {
            case .roundRobin: BalanceSelector<RoundRobin>(self, layout, handles, worker: worker)
            case .leastConnections: BalanceSelector<LeastConnections>(self, layout, handles, worker: worker)
            case .maglev: BalanceSelector<Maglev>(self, layout, handles, worker: worker)
            case .first: BalanceSelector<First>(self, layout, handles, worker: worker)
            }
        }
    }

    private func adopt(_ configuration: BalanceConfiguration, _ state: inout State, now: UInt64) {
        passTime(&state, now: now)
        var old = state.entries + state.departed
        var matched = configuration.members.map { member in
            old.firstIndex { $0.member.name == member.name }.map { old.remove(at: $0) }
        }
        for (index, member) in configuration.members.enumerated() where matched[index] == nil {
            matched[index] = old.firstIndex { $0.member.address == member.address }.map { old.remove(at: $0) }
        }
        state.entries = zip(configuration.members, matched).map { member, entry in
            guard var entry else { return Entry(member: member, record: Self.newRecord(&state), changedAt: now) }
            entry.member = member
            entry.record.marks.remove(.hasLeft)
            return entry
        }
        for entry in old { entry.record.marks.insert(.hasLeft) }
        // Each of them is used by a connection, so that connections bound them.
        state.departed = old.filter { $0.record.activeCount > 0 }
        old = []
        matched = []
        state.blocks.removeAll(where: \.isUnused)
        state.configuration = configuration
        state.generation += 1
        for (index, member) in configuration.members.enumerated() {
            let record = state.entries[index].record
            record.mark(.drainConfigured, member.isDraining)
            report(&state, index, .admin, now: now)
            if configuration.ejection == nil { forgive(&state, index, now: now) }
        }
        settle(&state, now: now)
    }

    private static func newRecord(_ state: inout State) -> MemberRecord {
        for block in state.blocks {
            if let index = block.take() { return MemberRecord(block, index: index) }
        }
        let block = CountBlock()
        state.blocks.append(block)
        return MemberRecord(block, index: block.take() ?? 0)
    }

    // MARK: Control

    /// Reports the state that a health check found. A member is up while neither a check nor the container engine says
    /// that it is down; the end of its time down also ends an ejection. A name without a member has no effect.
    public func checkResult(_ member: String, isUp: Bool, now: UInt64) {
        report(member, .downByCheck, isUp: isUp, .check, now: now)
    }

    /// Reports the state that the container engine has for a member, as ``checkResult(_:isUp:now:)`` does.
    public func engineResult(_ member: String, isUp: Bool, now: UInt64) {
        report(member, .downByEngine, isUp: isUp, .engine, now: now)
    }

    private func report(
        _ member: String, _ mark: MemberRecord.Marks, isUp: Bool, _ cause: StateChangeCause, now: UInt64
    ) {
        change(member, now: now) { state, index in
            let record = state.entries[index].record
            let wasDown = !record.marks.isDisjoint(with: .down)
            record.mark(mark, !isUp)
            if wasDown, record.marks.isDisjoint(with: .down) {
                record.marks.remove(.ejected)
                record.trial.reset()
            }
            report(&state, index, cause, now: now)
        }
    }

    /// Begins or ends the drain of a member by command: while it drains it takes no new clients. Independent of
    /// ``BalancedMember/isDraining``: it drains while either says so. A name without a member has no effect.
    public func setDraining(_ member: String, to isDraining: Bool, now: UInt64) {
        change(member, now: now) { state, index in
            let record = state.entries[index].record
            record.mark(.drainCommanded, isDraining)
            report(&state, index, .admin, now: now)
        }
    }

    /// Reports the probe that ``UpstreamSetObserver/probeRequested(_:)`` requested: whether a connection to the member
    /// stayed open for 100 ms. If not, the member is ejected. If so, it takes clients again, and is not suspected for
    /// the time of a first ejection: one client cannot keep it out. It has no effect where the member is not suspect.
    public func probeEnded(_ member: String, stayedOpen: Bool, now: UInt64) {
        change(member, now: now) { state, index in
            let record = state.entries[index].record
            guard record.marks.contains(.suspect) else { return }
            record.marks.remove(.suspect)
            guard let ejection = state.configuration.ejection else { return }
            if stayedOpen {
                record.clearedUntil.store(now &+ ejection.nanoseconds(level: 1), ordering: .relaxed)
            } else {
                eject(&state, index, .reset, now: now)
            }
        }
    }

    /// Notices the ejections that are over at this time, and reports them. Selectors see the end of an ejection by
    /// themselves; this is for the observer, about once a second.
    public func advance(now: UInt64) {
        state.withLock { state in
            passTime(&state, now: now)
            state.departed.removeAll { $0.record.activeCount == 0 }
        }
    }

    /// Returns the state of every member, in the order of the configuration. It also notices what ``advance(now:)``
    /// does.
    public func status(now: UInt64) -> [MemberStatus] {
        state.withLock { state in
            passTime(&state, now: now)
            let slowStart = state.configuration.slowStart?.clampedNanoseconds ?? 0
            return state.entries.map { entry in
                let ramp = SlowStart.share(
                    start: entry.record.rampStart.load(ordering: .relaxed), length: slowStart, now: now)
                let isDraining = entry.state == .draining
                return MemberStatus(
                    member: entry.member, state: entry.state, cause: entry.cause, changedAt: entry.changedAt,
                    weight: isDraining ? 0 : Double(entry.member.weight) * ramp,
                    activeCount: entry.record.activeCount, isSuspect: entry.record.marks.contains(.suspect))
            }
        }
    }

    private func change(_ member: String, now: UInt64, _ body: (inout State, Int) -> Void) {
        state.withLock { state in
            passTime(&state, now: now)
            guard let index = state.entries.firstIndex(where: { $0.member.name == member }) else { return }
            body(&state, index)
            settle(&state, now: now)
        }
    }

    /// Changes a member by its record: one that has left changes no more.
    private func change(_ record: MemberRecord, now: UInt64, _ body: (inout State, Int) -> Void) {
        state.withLock { state in
            passTime(&state, now: now)
            guard let index = state.entries.firstIndex(where: { $0.record === record }) else { return }
            body(&state, index)
            settle(&state, now: now)
        }
    }

    // MARK: Results

    /// A dial of a member has ended.
    func dialEnded(_ record: MemberRecord, _ ejection: Ejection, failure: DialFailure?, now: UInt64) {
        if let failure {
            if failure.isOfUpstream {
                failed(record, record.dialFailures, ejection, .dialFailed, now: now)
            }
            record.trial.abandon()
            return
        }
        record.trial.connected(now: now)
        // A datagram socket connects to anything.
        guard transport == .tcp else { return }
        record.dialFailures.end()
        if record.marks.isSuperset(of: [.onProbation, .failedDials]) { succeeded(record, now: now) }
    }

    /// A member has sent the first byte or datagram of a connection or session.
    func answered(_ record: MemberRecord, now: UInt64) {
        record.dialFailures.end()
        record.breaks.end()
        record.unanswered.end()
        if transport == .udp { record.noteAnswer(now: now) }
        if record.marks.contains(.onProbation) { succeeded(record, now: now) }
    }

    /// A member has failed before the first byte or datagram.
    func brokeUnanswered(_ record: MemberRecord, _ ejection: Ejection, isAsked: Bool, now: UInt64) {
        if transport == .udp {
            failed(record, record.breaks, ejection, .networkError, now: now)
        } else if isAsked {
            suspect(record, now: now)
        } else {
            failed(record, record.breaks, ejection, .reset, now: now)
        }
    }

    /// A question of a session that the member had answered before had no answer in time.
    func leftUnanswered(_ record: MemberRecord, _ ejection: Ejection, now: UInt64) {
        // Garbage with forged sources is never answered, whatever the member's state.
        if record.isAnswering(now: now) { return }
        failed(record, record.unanswered, ejection, .unanswered, now: now)
    }

    private func failed(
        _ record: MemberRecord, _ run: borrowing FailureRun, _ ejection: Ejection, _ reason: EjectionReason,
        now: UInt64
    ) {
        let length = run.add(now: now, window: max(ejection.duration, ejection.maxDuration).clampedNanoseconds)
        guard length >= ejection.failures || record.marks.contains(.onProbation) else { return }
        change(record, now: now) { state, index in eject(&state, index, reason, now: now) }
    }

    private func succeeded(_ record: MemberRecord, now: UInt64) {
        change(record, now: now) { state, index in
            // A success of a connection from before the ejection says nothing.
            guard !record.marks.contains(.ejected) else { return }
            state.entries[index].level = 0
            record.marks.subtract([.onProbation, .failedDials])
            record.trial.reset()
        }
    }

    private func suspect(_ record: MemberRecord, now: UInt64) {
        guard let observer, now >= record.clearedUntil.load(ordering: .relaxed), !record.marks.contains(.suspect)
        else { return }
        change(record, now: now) { state, index in
            guard !record.marks.contains(.suspect), state.configuration.ejection != nil,
                isUsable(record), hasOther(state, than: record),
                observer.probeRequested(state.entries[index].member.name)
            else { return }
            record.suspectUntil.store(now &+ Self.maxSuspicion, ordering: .relaxed)
            record.marks.insert(.suspect)
        }
    }

    // MARK: Changes under the lock

    /// Whether a member is up, and not suspect.
    private func isUsable(_ record: MemberRecord) -> Bool {
        record.state == .up && !record.marks.contains(.suspect)
    }

    private func hasOther(_ state: State, than record: MemberRecord) -> Bool {
        state.entries.contains { $0.record !== record && isUsable($0.record) }
    }

    /// Ejects a member that is up, unless it is the last one.
    private func eject(_ state: inout State, _ index: Int, _ reason: EjectionReason, now: UInt64) {
        let record = state.entries[index].record
        guard let ejection = state.configuration.ejection, record.state == .up, hasOther(state, than: record) else {
            return
        }
        state.entries[index].level = min(state.entries[index].level + 1, 64)
        let time = ejection.nanoseconds(level: state.entries[index].level)
        let (until, isEndless) = now.addingReportingOverflow(time)
        record.ejectedUntil.store(isEndless ? .max : until, ordering: .relaxed)
        record.dialFailures.end()
        record.breaks.end()
        record.unanswered.end()
        record.trial.reset()
        record.marks.remove([.suspect, .failedDials])
        record.marks.insert([.ejected, .onProbation])
        if reason == .dialFailed { record.marks.insert(.failedDials) }
        report(&state, index, reason.cause, now: now, ejectionTime: .nanoseconds(time))
    }

    /// Ends the ejections and suspicions whose time is over.
    private func passTime(_ state: inout State, now: UInt64) {
        var isChanged = false
        for index in state.entries.indices {
            let record = state.entries[index].record
            if record.marks.contains(.suspect), now >= record.suspectUntil.load(ordering: .relaxed) {
                record.marks.remove(.suspect)
                isChanged = true
            }
            let end = record.ejectedUntil.load(ordering: .relaxed)
            if record.marks.contains(.ejected), now >= end {
                record.marks.remove(.ejected)
                report(&state, index, .recovered, now: end)
                isChanged = true
            }
        }
        if isChanged { publish() }
    }

    /// Ends an ejection for good.
    private func forgive(_ state: inout State, _ index: Int, now: UInt64) {
        let record = state.entries[index].record
        state.entries[index].level = 0
        record.marks.subtract([.ejected, .suspect, .onProbation, .failedDials])
        record.trial.reset()
        report(&state, index, .recovered, now: now)
    }

    /// Ends each change: where no member is left that could be up, the one whose ejection ends first is up.
    private func settle(_ state: inout State, now: UInt64) {
        if !state.entries.contains(where: { isUsable($0.record) }) {
            for entry in state.entries { entry.record.marks.remove(.suspect) }
            let ejected = state.entries.indices.filter { state.entries[$0].record.state == .ejected }
            let first = ejected.min { one, other in
                state.entries[one].record.ejectedUntil.load(ordering: .relaxed)
                    < state.entries[other].record.ejectedUntil.load(ordering: .relaxed)
            }
            if let first, !state.entries.contains(where: { isUsable($0.record) }) {
                let record = state.entries[first].record
                record.marks.remove(.ejected)
                record.trial.open()
                report(&state, first, .recovered, now: now)
            }
        }
        publish()
    }

    /// Tells the observer where a member's state is another one now, and begins a slow start after a failure.
    private func report(
        _ state: inout State, _ index: Int, _ cause: StateChangeCause, now: UInt64, ejectionTime: Duration? = nil
    ) {
        let entry = state.entries[index]
        let new = entry.record.state
        guard new != entry.state else { return }
        if new == .up, entry.state != .draining { entry.record.rampStart.store(max(now, 1), ordering: .relaxed) }
        state.entries[index].state = new
        state.entries[index].cause = cause
        state.entries[index].changedAt = now
        observer?.stateChanged(
            MemberStateChange(
                member: entry.member.name, from: entry.state, to: new, cause: cause, time: now,
                ejectionTime: ejectionTime))
    }

    /// Lets the selectors look again.
    private func publish() {
        // Release: the marks and times were written before.
        version.add(1, ordering: .releasing)
    }
}
