import LinuxIO

/// The connections that wait for a step of their handshake, in their order. Confined to the exporter's thread.
///
/// A step takes up to two milliseconds of processor time, so it comes after all events of a turn, and a turn has one
/// such step: what needs no page, such as `/healthz`, waits for no more. Short steps share a turn.
final class HandshakeTurns: EventHandler {
    // `unowned`: the server owns both, and the loop calls this.
    private unowned let loop: EventLoop
    private let clock: MonotonicClock
    private var token = EventToken.none
    private var waiting: [ScrapeConnection] = []
    private var isArmed = false

    /// The time in which a turn begins steps.
    private static let turnNanoseconds: UInt64 = 200_000
    private static let maxStepsPerTurn = 16

    init(loop: EventLoop, clock: MonotonicClock) {
        self.loop = loop
        self.clock = clock
    }

    /// Adds a connection, which must not wait already.
    func append(_ connection: ScrapeConnection) {
        waiting.append(connection)
        arm()
    }

    private func arm() {
        if isArmed { return }
        isArmed = true
        if token == .none { token = loop.insert(self) }
        loop.defer(token)
    }

    func deferred(tag: Int) {
        isArmed = false
        let start = clock.nanoseconds
        var count = 0
        // A connection that has ended meanwhile has no step; one that adds itself again has it in another turn.
        let last = min(waiting.count, Self.maxStepsPerTurn)
        while count < last {
            waiting[count].stepHandshake()
            count += 1
            let now = clock.nanoseconds
            if now - min(start, now) > Self.turnNanoseconds { break }
        }
        waiting.removeFirst(count)
        if !waiting.isEmpty { arm() }
    }

    /// Forgets all of them.
    func close() {
        waiting = []
        if token != .none { loop.remove(token) }
        token = .none
        isArmed = false
    }

    func descriptorReady(_ events: EventSet, tag: Int) {}
    func timerFired(tag: Int, deadline: UInt64) {}
}
