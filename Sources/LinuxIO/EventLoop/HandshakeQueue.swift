/// An owner whose handshake runs in steps, each when its turn has come in a ``HandshakeQueue``.
public protocol HandshakeHandler: EventHandler {
    /// Performs one step. The owner may have ended its handshake meanwhile; for another step it is appended again.
    func stepHandshake()
}

/// The owners of an ``EventLoop`` that wait for a step of a handshake, in their order. Confined to the loop's thread.
///
/// A step takes up to two milliseconds of processor time, so it comes after all events of a turn, and a turn has one
/// such step: what needs no handshake waits for no more. Short steps share a turn.
public final class HandshakeQueue: EventHandler {
    // Proof of `unowned`: one object owns both, and the loop calls the queue.
    private unowned let loop: EventLoop
    private let clock: MonotonicClock
    private var token = EventToken.none
    private var waiting: ContiguousArray<EventToken> = []
    /// The first one that waits; those before it are done.
    private var first = 0
    private var isArmed = false

    /// The time in which a turn begins steps.
    private static let turnNanoseconds: UInt64 = 200_000
    private static let maxStepsPerTurn = 16

    /// Creates an empty queue. `loop` lives as long as it, and `clock` measures the steps.
    public init(loop: EventLoop, clock: MonotonicClock) {
        self.loop = loop
        self.clock = clock
    }

    /// Adds a ``HandshakeHandler``, which must not wait already. One that is removed from the loop meanwhile has no
    /// step.
    public func append(_ token: EventToken) {
        waiting.append(token)
        arm()
    }

    /// Forgets all of them.
    public func close() {
        waiting = []
        first = 0
        if token != .none { loop.remove(token) }
        token = .none
        isArmed = false
    }

    private func arm() {
        if isArmed { return }
        isArmed = true
        if token == .none { token = loop.insert(self) }
        loop.defer(token)
    }

    /// Performs the steps of a turn; called by the loop.
    public func deferred(tag: Int) {
        isArmed = false
        let start = clock.nanoseconds
        var count = 0
        while first < waiting.count {
            let next = waiting[first]
            first += 1
            guard let handler = loop.handler(of: next) as? any HandshakeHandler else { continue }
            handler.stepHandshake()
            count += 1
            let now = clock.nanoseconds
            if count == Self.maxStepsPerTurn || now - min(start, now) > Self.turnNanoseconds { break }
        }
        if first == waiting.count {
            waiting.removeAll(keepingCapacity: first <= 1024)
            first = 0
        } else {
            if first >= 1024 {
                waiting.removeFirst(first)
                first = 0
            }
            arm()
        }
    }

    /// Does nothing: the queue has no descriptor.
    public func descriptorReady(_ events: EventSet, tag: Int) {}

    /// Does nothing: the queue has no timer.
    public func timerFired(tag: Int, deadline: UInt64) {}
}
