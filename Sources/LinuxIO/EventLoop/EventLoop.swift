import CLinux
import Glibc

/// Something that owns descriptors or timers of an ``EventLoop``.
public protocol EventHandler: AnyObject {
    /// Descriptor `tag` of this owner has events; never an empty set.
    func descriptorReady(_ events: EventSet, tag: Int)
    /// The turn requested with ``EventLoop/defer(_:)``; `tag` is that of its token.
    func deferred(tag: Int)
    /// Timer `tag` of this owner is due; it was armed for `deadline` (nanoseconds).
    func timerFired(tag: Int, deadline: UInt64)
}

/// Waits for descriptors and timers and calls their owners: one `epoll_wait` a turn, then the events, then the timers,
/// then the deferred owners.
///
/// Confined to one thread (or one actor): it is not `Sendable`. Owners are kept by slot and generation, so that an
/// event for a closed descriptor is dropped (see ``EventToken``).
public final class EventLoop {
    private struct Slot {
        var handler: (any EventHandler)?
        var generation: UInt32 = 0

        /// The owner with this generation; nil once it was removed.
        func handler(of life: UInt32) -> (any EventHandler)? { generation == life ? handler : nil }
    }

    private let epoll: Epoll
    private let clock: MonotonicClock
    private let wakeup: CInt
    // Exclusivity is not checked at run time where every event passes: one thread owns the loop, and no access spans a
    // call to an owner, which could come back here.
    @safe @exclusivity(unchecked) private var slots = GrowingTable<Slot>()
    private var freeSlots: ContiguousArray<Int32> = []
    @safe @exclusivity(unchecked) private var timers: TimerWheel
    @safe @exclusivity(unchecked) private var due: ContiguousArray<(payload: UInt64, deadline: UInt64)> = []
    @safe @exclusivity(unchecked) private var deferred: ContiguousArray<UInt64> = []
    @safe @exclusivity(unchecked) private var running: ContiguousArray<UInt64> = []

    /// The clock at the end of the last wait.
    @safe @exclusivity(unchecked) private var lastLook: UInt64
    /// The time in which the process stood still, in nanoseconds: the loop's time does not count it.
    @safe @exclusivity(unchecked) private var standstill: UInt64 = 0
    /// The clock until which timers wait for the events of a standstill, at the longest; 0 where they do not.
    @safe @exclusivity(unchecked) private var catchUpEnd: UInt64 = 0
    @safe @exclusivity(unchecked) private var turnTime: UInt64
    @safe @exclusivity(unchecked) private var latestLagNanoseconds: UInt64?
    @safe @exclusivity(unchecked) private var latestEventCount = 0

    // Not inlined: a module that inlines the getter checks the access in spite of the attribute, at ten times the cost
    // of a call.

    /// The time at the start of this turn's work, in nanoseconds: coarse, and nearly free to read. It is the clock's
    /// without the time in which the process was stopped or frozen: that is not the silence of a peer. Each loop has
    /// its own: do not compare it with another's.
    public var now: UInt64 { @inline(never) get { turnTime } }
    /// The clock at the start of this turn's work, in nanoseconds.
    public var clockTime: UInt64 { @inline(never) get { lastLook } }
    /// How late the latest timer of the last turn ran, in nanoseconds; nil where none was due.
    public var timerLagNanoseconds: UInt64? { @inline(never) get { latestLagNanoseconds } }
    /// The number of descriptors that had events in the last turn.
    public var eventCount: Int { @inline(never) get { latestEventCount } }

    private static let eventsPerTurn = 256
    /// An idle loop still turns this often, so that its health can be seen from outside.
    private static let maxWaitNanoseconds: UInt64 = 1_000_000_000
    private static let wakeupToken = UInt64.max
    /// The longest time that a turn counts for, besides its wait. What is more was a standstill: of the process, or of
    /// this thread in a call that blocked. Loops under any load take less, and a slower one still advances.
    private static let maxTurnNanoseconds: UInt64 = 100_000_000
    /// The bound of the time in which timers wait for events after a standstill.
    private static let maxCatchUpNanoseconds: UInt64 = 500_000_000

    /// Creates a loop that also wakes when a job is queued on `thread`.
    public init(wokenBy thread: EventLoopThread, clock: MonotonicClock = .system) throws(SystemError) {
        epoll = try Epoll(eventsPerTurn: Self.eventsPerTurn)
        self.clock = clock
        lastLook = clock.nanoseconds
        turnTime = lastLook
        timers = TimerWheel(nanoseconds: turnTime)
        wakeup = thread.wakeupNumber
        try epoll.add(wakeup, .readable, token: Self.wakeupToken)
    }

    // MARK: Owners

    /// Gives an owner its slot. The slot keeps the owner alive until ``remove(_:)``.
    public func insert(_ handler: any EventHandler) -> EventToken {
        if let index = freeSlots.popLast() {
            slots[Int(index)].handler = handler
            return EventToken(slot: Int(index), generation: slots[Int(index)].generation)
        }
        slots.append(Slot(handler: handler))
        return EventToken(slot: slots.count - 1, generation: 0)
    }

    /// Gives a token to another owner, with its descriptors, its armed timers and its deferred turn.
    public func transfer(_ token: EventToken, to handler: any EventHandler) {
        precondition(self.handler(of: token) != nil, "a token with an owner")
        slots[token.slot].handler = handler
    }

    /// Removes an owner. The owner closes or withdraws its descriptors itself; its armed timers never fire.
    public func remove(_ token: EventToken) {
        guard handler(of: token) != nil else { return }
        slots.update(token.slot) { slot in
            slot.handler = nil
            slot.generation = (slot.generation &+ 1) & EventToken.generationMask
        }
        freeSlots.append(Int32(token.slot))
    }

    /// The owner behind a token, while it lives.
    public func handler(of token: EventToken) -> (any EventHandler)? {
        token.slot < slots.count ? slots[token.slot].handler(of: token.generation) : nil
    }

    /// The number of slots. A walk over them meets every owner that is there all the time once, whatever comes and goes
    /// between its steps.
    public var slotCount: Int { slots.count }

    /// The owner in a slot, with its token; nil where the slot is free.
    public func owner(inSlot index: Int) -> (handler: any EventHandler, token: EventToken)? {
        guard let handler = slots[index].handler else { return nil }
        return (handler, EventToken(slot: index, generation: slots[index].generation))
    }

    // MARK: Descriptors

    /// Registers a descriptor (epoll_ctl(2)). Closing the descriptor takes it out again.
    public func add(_ number: CInt, _ interest: EventSet, token: EventToken) throws(SystemError) {
        try epoll.add(number, interest, token: token.rawValue)
    }

    /// Changes the events that a descriptor reports.
    public func modify(_ number: CInt, _ interest: EventSet, token: EventToken) throws(SystemError) {
        try epoll.modify(number, interest, token: token.rawValue)
    }

    /// Takes a descriptor out without closing it.
    public func withdraw(_ number: CInt) throws(SystemError) {
        try epoll.remove(number)
    }

    // MARK: Timers

    /// Arms a timer for `token`'s owner, to fire `nanoseconds` from this turn on.
    public func schedule(afterNanoseconds nanoseconds: UInt64, token: EventToken) -> TimerWheel.Identifier {
        schedule(at: deadline(afterNanoseconds: nanoseconds), token: token)
    }

    /// The time on this loop's clock that is `nanoseconds` after the start of this turn, clamped to 64 bits.
    public func deadline(afterNanoseconds nanoseconds: UInt64) -> UInt64 {
        let (sum, isBeyond) = turnTime.addingReportingOverflow(nanoseconds)
        return isBeyond ? .max : sum
    }

    /// Arms a timer for `token`'s owner, to fire at `deadline` on this loop's clock.
    public func schedule(at deadline: UInt64, token: EventToken) -> TimerWheel.Identifier {
        timers.schedule(at: deadline, payload: token.rawValue)
    }

    /// Cancels a timer and sets it to `none`. Does nothing if it has fired.
    public func cancel(_ timer: inout TimerWheel.Identifier) {
        if timer.isNone { return }
        timers.cancel(timer)
        timer = .none
    }

    /// Calls ``EventHandler/deferred(tag:)`` of the owner at the end of this turn; at the end of the next one if called
    /// by a deferred owner. For work that its budget stopped, or that must come after all events of a turn.
    public func `defer`(_ token: EventToken) {
        deferred.append(token.rawValue)
    }

    /// How many timers are armed.
    package var armedTimerCount: Int { timers.count }

    // MARK: Turning

    /// One turn. Waits only when nothing is deferred and `mayWait` allows it. After a standstill it waits for nothing,
    /// and timers do not fire, until all events have been handled that came meanwhile.
    /// - Returns: nanoseconds of work, waiting excluded.
    @discardableResult
    public func turn(mayWait: Bool) -> UInt64 {
        let wait = mayWait && deferred.isEmpty && catchUpEnd == 0 ? waitMilliseconds() : 0
        let count = epoll.wait(milliseconds: wait)
        let mayFire = look(after: wait, events: count)
        latestEventCount = count
        let start = lastLook
        for index in 0..<count {
            let (raw, events) = epoll.event(at: index)
            if raw == Self.wakeupToken {
                _ = weir_eventfd_drain(wakeup)
            } else {
                let token = EventToken(rawValue: raw)
                handler(of: token)?.descriptorReady(events, tag: token.tag)
            }
        }
        latestLagNanoseconds = nil
        if mayFire { fireTimers() }
        runDeferred()
        let end = clock.nanoseconds
        return end - min(start, end)
    }

    /// Reads the clock after a wait, and takes a standstill out of the loop's time. A stopped process continues with an
    /// interrupted wait, which returns no events (signal(7)).
    /// - Returns: whether timers may fire.
    private func look(after wait: CInt, events count: Int) -> Bool {
        let current = clock.nanoseconds
        let elapsed = current - min(current, lastLook)
        lastLook = current
        let expected = UInt64(wait) * TimerWheel.tickNanoseconds + Self.maxTurnNanoseconds
        if elapsed > expected, clock.showsStandstill {
            standstill += elapsed - expected
            catchUpEnd = current + Self.maxCatchUpNanoseconds
        } else if catchUpEnd > 0, count == 0 || current >= catchUpEnd {
            catchUpEnd = 0
        }
        turnTime = max(turnTime, current - min(current, standstill))
        return catchUpEnd == 0
    }

    private func waitMilliseconds() -> CInt {
        guard let deadline = timers.nextDeadline else {
            return CInt(Self.maxWaitNanoseconds / TimerWheel.tickNanoseconds)
        }
        let current = clock.nanoseconds - standstill
        if deadline <= current { return 0 }
        let wait = min(deadline - current, Self.maxWaitNanoseconds)
        return CInt((wait + TimerWheel.tickNanoseconds - 1) / TimerWheel.tickNanoseconds)
    }

    private func fireTimers() {
        timers.advance(to: turnTime) { payload, deadline in due.append((payload, deadline)) }
        if due.isEmpty { return }
        for (payload, deadline) in due {
            let token = EventToken(rawValue: payload)
            latestLagNanoseconds = max(latestLagNanoseconds ?? 0, turnTime - min(turnTime, deadline))
            handler(of: token)?.timerFired(tag: token.tag, deadline: deadline)
        }
        due.removeAll(keepingCapacity: true)
    }

    private func runDeferred() {
        if deferred.isEmpty { return }
        swap(&deferred, &running)
        for raw in running {
            let token = EventToken(rawValue: raw)
            handler(of: token)?.deferred(tag: token.tag)
        }
        running.removeAll(keepingCapacity: true)
    }
}
