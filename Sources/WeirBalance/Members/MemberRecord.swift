import Synchronization

/// The part of a member's state that workers see: atomics only. It stays the same object as long as the member is in
/// the set, over all configurations, and as long as a connection uses it.
final class MemberRecord: Sendable {
    /// The reasons why a member takes no clients, and other marks.
    struct Marks: OptionSet, Sendable {
        let rawValue: UInt32

        static let downByCheck = Marks(rawValue: 1 << 0)
        static let downByEngine = Marks(rawValue: 1 << 1)
        /// Until ``MemberRecord/ejectedUntil``.
        static let ejected = Marks(rawValue: 1 << 2)
        static let drainConfigured = Marks(rawValue: 1 << 3)
        static let drainCommanded = Marks(rawValue: 1 << 4)
        /// It is no longer in the set: only connections of an older configuration know it.
        static let hasLeft = Marks(rawValue: 1 << 5)
        /// Until ``MemberRecord/suspectUntil``.
        static let suspect = Marks(rawValue: 1 << 6)
        /// It was ejected, and has had no success since: its next failure ejects it again.
        static let onProbation = Marks(rawValue: 1 << 7)
        /// Dials failed before the last ejection: a dial is the success that ends the probation.
        static let failedDials = Marks(rawValue: 1 << 8)

        static let down: Marks = [.downByCheck, .downByEngine]
        static let draining: Marks = [.drainConfigured, .drainCommanded, .hasLeft]
    }

    private let block: CountBlock
    private let index: Int
    private let bits = Atomic<UInt32>(0)
    /// The end of the ejection, in nanoseconds.
    let ejectedUntil = Atomic<UInt64>(0)
    let suspectUntil = Atomic<UInt64>(0)
    /// The time before which it is not suspected again: a probe has just cleared it.
    let clearedUntil = Atomic<UInt64>(0)
    /// The start of its slow start; 0 where it has its full weight.
    let rampStart = Atomic<UInt64>(0)
    let trial = Trial()

    let dialFailures = FailureRun()
    let breaks = FailureRun()
    let unanswered = FailureRun()
    /// The time of an answer, a quarter of a second late at most.
    private let lastAnswer = Atomic<UInt64>(0)

    init(_ block: CountBlock, index: Int) {
        self.block = block
        self.index = index
    }

    deinit { block.giveBack(index) }

    var cell: CountCell { block.cell(index) }
    var activeCount: Int { Int(cell.value) }

    /// The marks. Written under the set's lock, before its version is advanced.
    var marks: Marks {
        get { Marks(rawValue: bits.load(ordering: .relaxed)) }
        set { bits.store(newValue.rawValue, ordering: .relaxed) }
    }

    /// Sets or removes a mark. Under the set's lock.
    func mark(_ mark: Marks, _ isSet: Bool) {
        if isSet { marks.insert(mark) } else { marks.remove(mark) }
    }

    /// The state as reported: an ejection that is over counts until it is noticed.
    var state: MemberState {
        let marks = marks
        if !marks.isDisjoint(with: .draining) { return .draining }
        if !marks.isDisjoint(with: .down) { return .down }
        return marks.contains(.ejected) ? .ejected : .up
    }

    // MARK: Answers of UDP sessions

    private static let answerResolution: UInt64 = 250_000_000
    private static let silence: UInt64 = 1_000_000_000

    /// Notes an answer to any session.
    func noteAnswer(now: UInt64) {
        // Rarely written, because all workers read it.
        let last = lastAnswer.load(ordering: .relaxed)
        if last == 0 || now > last &+ Self.answerResolution { lastAnswer.store(max(now, 1), ordering: .relaxed) }
    }

    /// Whether it has answered some session within the last second.
    func isAnswering(now: UInt64) -> Bool {
        let last = lastAnswer.load(ordering: .relaxed)
        return last != 0 && now < last &+ Self.silence &+ Self.answerResolution
    }
}

/// Failures in a row. Safe from any thread.
struct FailureRun: ~Copyable, Sendable {
    private let count = Atomic<UInt32>(0)
    private let last = Atomic<UInt64>(0)

    /// Adds a failure, and returns the length of the run: 1 where the one before is longer ago than the window.
    func add(now: UInt64, window: UInt64) -> Int {
        let before = last.exchange(now, ordering: .relaxed)
        if now > before, now - before > window { count.store(0, ordering: .relaxed) }
        // It wraps after four billion, within which every threshold was met.
        return Int(count.wrappingAdd(1, ordering: .relaxed).newValue)
    }

    /// Ends the run. It writes nothing where there is none.
    @inline(__always) func end() {
        if count.load(ordering: .relaxed) != 0 { count.store(0, ordering: .relaxed) }
    }
}

/// The one connection that tries a member which was ejected, while all other clients go elsewhere. Safe from any
/// thread.
struct Trial: ~Copyable, Sendable {
    /// 0: none. `dialing`: its dial is in progress. Else the time until which it must stay unbroken.
    private let word = Atomic<UInt64>(0)
    private static let dialing = UInt64.max
    private static let nanoseconds: UInt64 = 1_000_000_000

    /// Whether a client may take the member: as the trial, or because the trial has held.
    func isOpen(now: UInt64) -> Bool {
        let value = word.load(ordering: .relaxed)
        return value == 0 || (value != Self.dialing && now >= value)
    }

    /// Begins the trial, where none has held. Returns whether the caller may take the member.
    func enter(now: UInt64) -> Bool {
        let value = word.load(ordering: .relaxed)
        if value != 0 { return value != Self.dialing && now >= value }
        return word.compareExchange(expected: 0, desired: Self.dialing, ordering: .relaxed).exchanged
    }

    /// The dial of the trial has succeeded: it holds unless the connection breaks within a second.
    func connected(now: UInt64) {
        _ = word.compareExchange(expected: Self.dialing, desired: max(1, now &+ Self.nanoseconds), ordering: .relaxed)
    }

    /// Ends the trial without a result: another one may begin.
    func abandon() { _ = word.compareExchange(expected: Self.dialing, desired: 0, ordering: .relaxed) }

    /// Forgets every trial.
    func reset() { word.store(0, ordering: .relaxed) }

    /// Lets every client take the member.
    func open() { word.store(1, ordering: .relaxed) }
}
