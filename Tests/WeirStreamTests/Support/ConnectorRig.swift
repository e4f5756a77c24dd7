import LinuxIO
import NetworkTypes

@testable import WeirStream

/// A connector on a loop with a clock that the test turns, over scripted upstreams, and an owner that performs its
/// outcomes. Confined to the thread of its test.
final class ConnectorRig: EventHandler {
    /// The end of an owner's connecting.
    enum End: Equatable {
        case settled(upstream: Int, SocketAddress)
        case failed(DialFailure)
        case rejected(RejectReason)
    }

    let clock: TestClock
    let core: WorkerCore
    let script = ScriptedUpstreams()
    let recorder = Recorder()
    let account = SelectorAccount()
    let route: RouteSnapshot<ScriptedSettings>
    private let context: StreamContext
    private var token = EventToken.none

    private(set) var connector: UpstreamConnector<ScriptedDialer>?
    private(set) var end: End?
    /// The descriptor that the owner has, of a connection that is settled or still in its handshake.
    private(set) var socket: Socket?
    private(set) var member: UpstreamHandle?
    private var address: SocketAddress?
    /// Outcomes other than `pending`, which may come once only where a connection was handed back before.
    private(set) var connections = 0
    /// Whether a connection is kept as soon as it is there.
    var keepsAtOnce = true
    private(set) var timersAfterEnd = 0

    static func makeCore(_ clock: TestClock) throws -> WorkerCore {
        try WorkerCore(
            index: 0, threads: [EventLoopThread(name: "test")], loads: [WorkerLoad()],
            budget: DescriptorBudget(limit: 4_096, maxConnections: nil), bufferMemory: 1 << 16, clock: clock.clock)
    }

    /// `names` of upstreams: an address literal or a name, each with a port.
    init(
        _ names: [String], settings: ScriptedSettings = ScriptedSettings(), clock: TestClock = TestClock(),
        core: WorkerCore? = nil
    ) throws {
        self.clock = clock
        self.core = try core ?? Self.makeCore(clock)
        let upstreams = try names.map { try Upstream($0) }
        let plan = RoutePlan(
            name: "test", upstreams: upstreams, portShifts: [:], settings: settings,
            hooks: StreamHooks(makeSelector: account.makeSelector, observer: recorder), generation: 1,
            refresh: { _ in })
        route = RouteSnapshot(plan, worker: 0)
        context = StreamContext(
            id: 1, route: route.identity, transport: .tcp, clientAddress: SocketAddress(.loopbackIPv4, port: 9),
            localAddress: SocketAddress(.loopbackIPv4, port: 10), worker: 0)
        turn()
        token = self.core.loop.insert(self)
    }

    var now: UInt64 { core.loop.now }

    // MARK: What the test does

    /// Begins without a hook.
    func begin() {
        let connector = UpstreamConnector(
            route: route, context: context, core: core, token: token, dialer: ScriptedDialer(script: script))
        self.connector = connector
        perform(connector.start(worker: noWorker()))
    }

    /// Begins another dial of the same route, after ``endConnecting()``.
    func beginAnew() {
        end = nil
        script.beginDial()
        begin()
    }

    private func noWorker() -> Worker { preconditionFailure("there is no hook") }

    /// Turns the clock, gives the news that are due, and lets the timers and the deferred have their turn.
    func advance(by time: Duration = .zero) {
        clock.advance(by: time)
        turn()
        for (tag, events) in script.news(at: now) { descriptorReady(events, tag: tag) }
    }

    private func turn() {
        core.loop.turn(mayWait: false)
    }

    /// The name of an upstream is answered.
    func answer(_ index: Int, _ addresses: [SocketAddress]) {
        let answer: NameAnswer = addresses.isEmpty ? .unresolvable(.notFound) : .addresses(addresses)
        route.upstreams[index].publish(answer, on: core.loop)
        turn()
    }

    /// The owner keeps what it was given.
    func keep() {
        guard let connector, let address, let member else { return }
        connector.settle(at: address)
        end = .settled(upstream: route.index(of: member), address)
    }

    /// The owner hands back what it was given.
    func handBack(_ reason: DialFailure) {
        guard let connector else { return }
        perform(connector.failed(reason, detail: nil))
    }

    /// The owner's upstream, which it has settled for, refuses what it is sent.
    func goElsewhere() {
        guard let connector else { return }
        script.beginDial()
        perform(connector.goElsewhere())
    }

    /// The owner ends, whatever stands, and leaves the loop.
    func finish() {
        endConnecting()
        core.loop.remove(token)
    }

    /// The owner ends, whatever stands. The loop still has it, so that a timer that was left would be seen.
    func endConnecting() {
        connector?.cancel()
        connector = nil
        socket.take()?.close()
        if case .settled = end, let member { route.selector.released(member) }
        member = nil
        timersAfterEnd = 0
    }

    // MARK: The owner

    func descriptorReady(_ events: EventSet, tag: Int) {
        if let connector { perform(connector.attemptReady(events, tag: tag)) }
    }

    func deferred(tag: Int) {
        if let connector { perform(connector.nameAnswered()) }
    }

    func timerFired(tag: Int, deadline: UInt64) {
        if let connector { perform(connector.timerFired(tag: tag)) } else { timersAfterEnd += 1 }
    }

    private func perform(_ outcome: consuming DialOutcome) {
        let isSettled = if case .settled = end { true } else { false }
        // A connection in its handshake whose dial has failed meanwhile.
        if !isSettled, socket != nil, connector?.isHandedOut == false { socket.take()?.close() }
        switch consume outcome {
        case .pending: return
        case .connected(let upstream):
            connections += 1
            if isSettled, let member, member != upstream.member { route.selector.released(member) }
            socket.take()?.close()
            address = upstream.attempt.address
            member = upstream.member
            socket = upstream.takeSocket()
            end = nil
            // A connection that goes elsewhere has no handshake before it.
            if keepsAtOnce || isSettled { keep() }
        case .failed(let reason):
            if !isSettled { end = .failed(reason) }
            connector?.cancel()
            connector = nil
        case .rejected(let reason):
            end = .rejected(reason)
            connector?.cancel()
            connector = nil
        }
    }
}
