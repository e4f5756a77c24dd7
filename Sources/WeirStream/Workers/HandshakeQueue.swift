import LinuxIO

/// The connections of a worker that wait for a step of a handshake, in their order.
///
/// A step takes up to two milliseconds of processor time, so it comes after all events of a turn, and a turn has one
/// such step: relays wait for no more. Short steps share a turn.
final class HandshakeQueue: EventHandler {
    // Proof of `unowned`: the worker owns both, and the loop calls the queue.
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

    init(loop: EventLoop, clock: MonotonicClock) {
        self.loop = loop
        self.clock = clock
    }

    /// Adds a connection, which must not wait already. One that has ended meanwhile has no step.
    func append(_ connection: EventToken) {
        waiting.append(connection)
        arm()
    }

    private func arm() {
        if isArmed { return }
        isArmed = true
        if token == .none { token = loop.insert(self) }
        loop.defer(token)
    }

    func descriptorReady(_ events: EventSet, tag: Int) {}

    func timerFired(tag: Int, deadline: UInt64) {}

    func deferred(tag: Int) {
        isArmed = false
        let start = clock.nanoseconds
        var count = 0
        while first < waiting.count {
            let next = waiting[first]
            first += 1
            (loop.handler(of: next) as? TCPConnection)?.stepHandshake()
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
}
