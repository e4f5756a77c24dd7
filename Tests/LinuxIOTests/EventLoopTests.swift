import LinuxIO
import NetworkTypes
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct EventLoopTests {
    /// Records the calls that it gets.
    private final class Recorder: EventHandler {
        var events: [(EventSet, Int)] = []
        var deferrals: [Int] = []
        var timers: [Int] = []
        var onEvent: (() -> Void)?
        var onDeferral: (() -> Void)?

        func descriptorReady(_ events: EventSet, tag: Int) {
            self.events.append((events, tag))
            onEvent?()
        }

        func deferred(tag: Int) {
            deferrals.append(tag)
            onDeferral?()
        }

        func timerFired(tag: Int, deadline: UInt64) { timers.append(tag) }
    }

    private static func makeLoop(_ clock: MonotonicClock = .system) throws -> (EventLoop, EventLoopThread) {
        let thread = try EventLoopThread(name: "test")
        return (try EventLoop(wokenBy: thread, clock: clock), thread)
    }

    /// Two bound datagram sockets, the first with a datagram waiting.
    private static func readable() throws -> Socket {
        let socket = try Socket(.datagram, family: .ipv4)
        try socket.bind(SocketAddress(.loopbackIPv4, port: 0))
        try sendByte(to: socket)
        return socket
    }

    private static func sendByte(to socket: borrowing Socket) throws {
        let sender = try Socket(.datagram, family: .ipv4)
        guard case .connected = sender.connect(to: try socket.localAddress()) else { return }
        [UInt8(1)].withUnsafeBytes { _ = sender.send($0) }
    }

    /// Counts its steps.
    private final class Stepper: HandshakeHandler {
        var stepCount = 0
        var onStep: (() -> Void)?

        func stepHandshake() {
            stepCount += 1
            onStep?()
        }

        func descriptorReady(_ events: EventSet, tag: Int) {}
        func deferred(tag: Int) {}
        func timerFired(tag: Int, deadline: UInt64) {}
    }

    @Test func `steps of handshakes share a turn up to a bound, and an owner that is gone takes none`() throws {
        let time = TestTime()
        let (loop, _) = try Self.makeLoop(time.clock)
        let queue = HandshakeQueue(loop: loop, clock: time.clock)
        let steppers = (0..<40).map { _ in Stepper() }
        let tokens = steppers.map { loop.insert($0) }
        for token in tokens { queue.append(token) }
        for token in tokens[..<20] { loop.remove(token) }
        loop.turn(mayWait: false)
        #expect(steppers[..<20].allSatisfy { $0.stepCount == 0 })
        #expect(steppers[20..<36].allSatisfy { $0.stepCount == 1 })
        #expect(steppers[36...].allSatisfy { $0.stepCount == 0 })
        // A long step is the last one of its turn.
        steppers[36].onStep = { time.advance(2_000_000) }
        loop.turn(mayWait: false)
        #expect(steppers[36...].map(\.stepCount) == [1, 0, 0, 0])
        loop.turn(mayWait: false)
        #expect(steppers[36...].map(\.stepCount) == [1, 1, 1, 1])
        queue.append(tokens[39])
        queue.close()
        loop.turn(mayWait: false)
        #expect(steppers[39].stepCount == 1)
    }

    @Test func `events of a descriptor reach its owner with its tag`() throws {
        let (loop, _) = try Self.makeLoop()
        let owner = Recorder()
        let token = loop.insert(owner)
        let socket = try Self.readable()
        try loop.add(socket.number, .readable, token: token.with(tag: 5))
        loop.turn(mayWait: true)
        #expect(owner.events.map(\.1) == [5])
        #expect(owner.events.first?.0.contains(.readable) == true)
        // Level-triggered until told otherwise.
        loop.turn(mayWait: false)
        #expect(owner.events.count == 2)
        try loop.withdraw(socket.number)
        loop.turn(mayWait: false)
        #expect(owner.events.count == 2)
    }

    @Test func `an edge is told once, until something new comes`() throws {
        let (loop, _) = try Self.makeLoop()
        let owner = Recorder()
        let socket = try Self.readable()
        try loop.add(socket.number, [.readable, .edgeTriggered], token: loop.insert(owner))
        for _ in 0..<3 { loop.turn(mayWait: false) }
        #expect(owner.events.count == 1)
        try Self.sendByte(to: socket)
        loop.turn(mayWait: true)
        #expect(owner.events.count == 2)
    }

    @Test func `an event for a removed owner is dropped, also if its slot has a new owner`() throws {
        let (loop, _) = try Self.makeLoop()
        let old = Recorder()
        let oldToken = loop.insert(old)
        let socket = try Self.readable()
        try loop.add(socket.number, .readable, token: oldToken)
        loop.remove(oldToken)
        let new = Recorder()
        let newToken = loop.insert(new)
        // The slot is the same, the generation is another.
        #expect(UInt32(truncatingIfNeeded: newToken.rawValue) == UInt32(truncatingIfNeeded: oldToken.rawValue))
        #expect(newToken != oldToken)
        loop.turn(mayWait: false)
        #expect(old.events.isEmpty)
        #expect(new.events.isEmpty)
        #expect(loop.handler(of: oldToken) == nil)
        #expect(loop.handler(of: newToken) === new)
        #expect(loop.handler(of: .none) == nil)
        // Removing the old token leaves the new owner in the slot.
        loop.remove(oldToken)
        #expect(loop.handler(of: newToken) === new)
    }

    @Test func `a token that goes to another owner brings its descriptors, timers and deferred turn`() throws {
        let (loop, _) = try Self.makeLoop()
        let (old, new) = (Recorder(), Recorder())
        let token = loop.insert(old)
        let socket = try Self.readable()
        try loop.add(socket.number, .readable, token: token.with(tag: 3))
        _ = loop.schedule(at: loop.now, token: token.with(tag: 4))
        loop.defer(token.with(tag: 5))
        loop.transfer(token, to: new)
        #expect(loop.handler(of: token) === new)
        while new.timers.isEmpty && old.timers.isEmpty { loop.turn(mayWait: true) }
        #expect(old.events.isEmpty && old.timers.isEmpty && old.deferrals.isEmpty)
        #expect(new.events.first?.1 == 3 && new.timers == [4] && new.deferrals == [5])
    }

    @Test func `an owner that is removed by another in the same batch is not called`() throws {
        let (loop, _) = try Self.makeLoop()
        let owners = [Recorder(), Recorder()]
        let tokens = owners.map { loop.insert($0) }
        let first = try Self.readable()
        let second = try Self.readable()
        // They would hold themselves.
        defer { for owner in owners { owner.onEvent = nil } }
        owners[0].onEvent = { loop.remove(tokens[1]) }
        owners[1].onEvent = { loop.remove(tokens[0]) }
        try loop.add(first.number, .readable, token: tokens[0])
        try loop.add(second.number, .readable, token: tokens[1])
        loop.turn(mayWait: true)
        #expect(owners[0].events.count + owners[1].events.count == 1)
    }

    @Test func `deferred owners get a turn of their own, and may defer again`() throws {
        let (loop, _) = try Self.makeLoop()
        let owner = Recorder()
        let token = loop.insert(owner)
        // It would hold itself.
        defer { owner.onDeferral = nil }
        owner.onDeferral = { if owner.deferrals.count < 3 { loop.defer(token.with(tag: 2)) } }
        loop.defer(token.with(tag: 2))
        loop.turn(mayWait: true)
        #expect(owner.deferrals.count == 1)
        // Something is deferred: the turn does not wait, although it may.
        loop.turn(mayWait: true)
        loop.turn(mayWait: true)
        #expect(owner.deferrals == [2, 2, 2])
        #expect(owner.events.isEmpty)
        loop.defer(token)
        loop.remove(token)
        loop.turn(mayWait: true)
        #expect(owner.deferrals.count == 3)
    }

    @Test func `timers fire on the loop's clock, once, unless canceled`() throws {
        let clock = TestTime()
        let (loop, _) = try Self.makeLoop(clock.clock)
        let owner = Recorder()
        let token = loop.insert(owner)
        _ = loop.schedule(afterNanoseconds: 5_000_000, token: token.with(tag: 1))
        var canceled = loop.schedule(afterNanoseconds: 5_000_000, token: token.with(tag: 2))
        _ = loop.schedule(afterNanoseconds: .max, token: token.with(tag: 3))
        loop.cancel(&canceled)
        #expect(canceled.isNone)
        clock.advance(4_000_000)
        loop.turn(mayWait: false)
        #expect(owner.timers == [])
        #expect(loop.timerLagNanoseconds == nil)
        clock.advance(3_000_000)
        loop.turn(mayWait: true)
        #expect(owner.timers == [1])
        #expect(loop.timerLagNanoseconds == 2_000_000)
        clock.advance(100_000_000)
        loop.turn(mayWait: false)
        #expect(owner.timers == [1])
    }

    @Test func `time in which the process stood still counts for no timer, and what came meanwhile is first`() throws {
        let clock = TestTime()
        let (loop, _) = try Self.makeLoop(clock.ofProcess)
        let owner = Recorder()
        let token = loop.insert(owner)
        let start = loop.now
        _ = loop.schedule(afterNanoseconds: 50_000_000, token: token.with(tag: 1))
        _ = loop.schedule(afterNanoseconds: 3_000_000_000, token: token.with(tag: 2))
        let socket = try Self.readable()
        try loop.add(socket.number, .readable, token: token.with(tag: 5))
        clock.advance(60_000_000_000)
        // As long as there is something to read, no timer fires; an hour may pass in such a turn as well.
        for count in 1...3 {
            loop.turn(mayWait: true)
            #expect(owner.events.count == count && owner.timers.isEmpty)
            if count == 2 { clock.advance(3_600_000_000_000) }
        }
        #expect(loop.clockTime - start == 3_660_000_000_000)
        #expect(loop.now - start < 1_000_000_000)
        try loop.withdraw(socket.number)
        loop.turn(mayWait: true)
        #expect(owner.timers == [1])
        for _ in 0..<60 where owner.timers.count < 2 {
            clock.advance(50_000_000)
            loop.turn(mayWait: false)
        }
        #expect(owner.timers == [1, 2])
        #expect((2_900_000_000...3_100_000_000).contains(loop.now - start))
    }

    @Test func `events without an end hold up no timer for more than half a second, nor do slow turns stop the time`()
        throws
    {
        let clock = TestTime()
        let (loop, _) = try Self.makeLoop(clock.ofProcess)
        let owner = Recorder()
        let token = loop.insert(owner)
        let socket = try Self.readable()
        try loop.add(socket.number, .readable, token: token.with(tag: 5))
        _ = loop.schedule(afterNanoseconds: 50_000_000, token: token.with(tag: 1))
        clock.advance(10_000_000_000)
        for _ in 0..<60 where owner.timers.isEmpty {
            loop.turn(mayWait: false)
            clock.advance(10_000_000)
        }
        #expect(owner.timers == [1])
        // A hook that blocks for ten seconds in every turn.
        let before = loop.now
        _ = loop.schedule(afterNanoseconds: 900_000_000, token: token.with(tag: 2))
        try loop.withdraw(socket.number)
        for _ in 0..<40 where owner.timers.count < 2 {
            clock.advance(10_000_000_000)
            loop.turn(mayWait: false)
            loop.turn(mayWait: false)
        }
        #expect(owner.timers == [1, 2])
        #expect(loop.now - before < 1_500_000_000)
    }
}

/// A clock that stands until it is turned.
final class TestTime: Sendable {
    private let time = Atomic<UInt64>(1_000_000_000)

    var clock: MonotonicClock { MonotonicClock { self.time.load(ordering: .relaxed) } }

    /// The same clock, whose jumps are those of a process that stood still.
    var ofProcess: MonotonicClock { MonotonicClock(showsStandstill: true) { self.time.load(ordering: .relaxed) } }

    func advance(_ nanoseconds: UInt64) { time.wrappingAdd(nanoseconds, ordering: .relaxed) }
}
