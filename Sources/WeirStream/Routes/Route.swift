import LinuxIO
import NetworkTypes
import Threading

/// A route: a name, listening addresses, and the upstreams of their clients. ``TCPStream`` relays connections,
/// ``UDPStream`` datagrams.
///
/// All listeners and workers of a route share one set of counts and limits. Each worker has one set of upstream states,
/// and one list of sessions that may be evicted.
///
/// Call it from any task. Calls that change the route run one at a time.
public final class Route<Settings: Hashable & Sendable>: Stream {
    struct State {
        var name: String
        var upstreams: [Upstream]
        var settings: Settings
        /// The configured listeners, in order.
        var listen: [StreamListener]
        /// The listeners, bound or served, in the order of `listen`.
        var listeners: [Listener] = []
        /// Listeners that are bound for the next change of the route.
        var staged: [Listener] = []
        /// Removed listeners that still have clients.
        var leaving: [Listener] = []
        /// The state that the workers share; nil until the route serves.
        var shared: SharedRoute?
        /// The shifts of removed listeners, by their number.
        var keptShifts: [UInt32: UInt16] = [:]
        var watches: [(host: String, watch: Int)] = []
        var generation = 0
    }

    let engine: StreamEngine
    let transport: Transport
    /// The route's number in its engine.
    let number: UInt32
    let lifecycle = ServiceLifecycle()
    /// The queue that runs start, update, reopen, close, kill and the final release one at a time.
    let turns = TurnQueue()
    let operations: WorkerOperations<Settings>
    let state: Lock<State>
    private let count = RouteCount()

    init(
        name: String, listen: [StreamListener], transport: Transport, upstreams: [Upstream], settings: Settings,
        engine: StreamEngine, operations: WorkerOperations<Settings>
    ) throws(StreamError) {
        try Self.check(listen, transport)
        try Self.check(upstreams, transport)
        self.engine = engine
        self.transport = transport
        self.operations = operations
        number = engine.makeRouteNumber()
        state = Lock(State(name: name, upstreams: upstreams, settings: settings, listen: listen))
    }

    static func check(_ listen: [StreamListener], _ transport: Transport) throws(StreamError) {
        for listener in listen where listener.address.network.transport != transport {
            throw .transportMismatch("\(listener.address)")
        }
    }

    /// Checks that there is an upstream, and that none names the other transport.
    static func check(_ upstreams: [Upstream], _ transport: Transport) throws(StreamError) {
        guard !upstreams.isEmpty else { throw .noUpstream }
        for upstream in upstreams {
            guard let named = upstream.transport, named != transport else { continue }
            throw .transportMismatch("\(named.rawValue)://\(upstream)")
        }
    }

    /// The first listening address: after ``listenAndServe(hooks:)`` the bound address with its real port. A route
    /// without own listeners returns `0.0.0.0:0`.
    public var localAddress: SocketAddress { localAddresses.first ?? SocketAddress(.anyIPv4, port: 0) }

    /// The listening addresses, in their configured order, with the real ports once they are bound.
    public var localAddresses: [SocketAddress] {
        state.withLock { state in
            state.isBound ? state.listeners.map(\.address) : state.listen.map(\.address.unboundAddress)
        }
    }

    /// See ``Stream/logMetadata``.
    public var logMetadata: [String: String] {
        state.withLock { state in
            let isBound = state.isBound
            let listening = state.listen.enumerated().map { index, listen in
                if let path = listen.address.path { return "\(path)" }
                let address = isBound ? state.listeners[index].address : listen.address.unboundAddress
                return "\(listen.address.network.rawValue)://\(address)"
            }
            return [
                "protocol": transport.rawValue, "route": state.name, "listen": listening.joined(separator: ","),
                "dst": state.upstreams.map(\.description).joined(separator: ","),
            ]
        }
    }

    /// The number of open connections or sessions over all listeners. It includes those whose dial is in progress.
    public var openCount: Int { count.value }

    // MARK: Start

    /// Binds, and serves until the route is closed or killed. See ``Stream/listenAndServe(hooks:)``.
    public func listenAndServe(hooks: StreamHooks) async throws(StreamError) {
        await turns.enter()
        defer { turns.leave() }
        try lifecycle.start()
        do throws(StreamError) {
            try bind()
            try await start(hooks)
        } catch {
            unbind()
            // Where workers served already, the close in progress ends the route.
            if state.withLock({ $0.shared == nil }) { lifecycle.startFailed() }
            throw error
        }
    }

    /// Releases addresses that were bound and never served.
    private func unbind() {
        let listeners = state.withLock { state in
            guard state.shared == nil else { return [] as [Listener] }
            defer { state.listeners = [] }
            return state.listeners
        }
        for listener in listeners { listener.release() }
    }

    private func start(_ hooks: StreamHooks) async throws(StreamError) {
        let listeners = state.withLock { $0.listeners }
        await engine.announce(transport, listeners, isListening: true)
        let shared = SharedRoute(
            number: number, workers: engine.workers, count: count,
            onWorkerFinished: { [weak self] in self?.workerFinished() },
            onListenerFinished: { [weak self] listener in self?.listenerFinished(listener) })
        let plan = makePlan(hooks)
        do throws(StreamError) {
            try checkForLoops(state.withLock { $0.upstreams })
            // Every worker must know the route before one accepts: it may hand a connection to any other.
            for worker in engine.workers {
                try lifecycle.checkEndRequest()
                await operations.prepare(worker, plan, shared, listeners)
            }
            try lifecycle.checkEndRequest()
        } catch {
            for worker in engine.workers { await worker.forget(route: number, listeners: listeners.map(\.number)) }
            await engine.announce(transport, listeners, isListening: false)
            throw error
        }
        state.withLock { $0.shared = shared }
        // From here on there may be clients. A close or a kill that is requested now runs after the start, and ends
        // them.
        lifecycle.started(workers: engine.workerCount)
        if let failure = await Listener.serve(listeners, on: engine).first {
            await close(shared, drainTimeout: .zero)
            throw .bindFailed(failure.listener.configured, failure.error)
        }
        await watchNames(plan)
    }

    // MARK: Plans

    func makePlan(_ hooks: StreamHooks) -> RoutePlan<Settings> {
        let resolver = engine.resolver
        return state.withLock { state in
            state.generation += 1
            let upstreams = state.upstreams
            return RoutePlan(
                name: state.name, upstreams: upstreams, portShifts: state.portShifts, settings: state.settings,
                hooks: hooks, generation: state.generation,
                refresh: { index in Task { await resolver.refresh(upstreams[index].host.description) } })
        }
    }

    /// Applies a plan that was checked on every worker.
    func follow(_ plan: RoutePlan<Settings>) async {
        let old = state.withLock { state in
            defer { state.watches = [] }
            return state.watches
        }
        for worker in engine.workers { await operations.replace(worker, plan, number) }
        // The new watches come first, so that a name of both plans keeps its addresses.
        await watchNames(plan)
        for (host, watch) in old { await engine.resolver.unwatch(watch, of: host) }
    }

    /// Checks that no literal upstream of `upstreams`, for a client of any of `listen`, is one of these addresses.
    /// - Throws: ``StreamError/loop(_:upstream:)``.
    package func checkForLoops(
        _ upstreams: [Upstream], listen: [StreamListener], among listeners: OwnListeners
    ) throws(StreamError) {
        try checkForLoops(upstreams, listen) { listeners.wouldLoop(transport, $0) }
    }

    /// Checks that no literal upstream, for a client of any of these listeners or of those that the route has, is a
    /// listening address of the engine. A route without own listeners is checked when a shared listener uses it.
    func checkForLoops(_ upstreams: [Upstream], listen: [StreamListener]? = nil) throws(StreamError) {
        try checkForLoops(upstreams, listen ?? state.withLock { $0.listen }) { engine.wouldLoop(transport, $0) }
    }

    private func checkForLoops(
        _ upstreams: [Upstream], _ listen: [StreamListener], wouldLoop: (Upstream) -> Bool
    ) throws(StreamError) {
        // The listeners of a range have shifts of their own, those of a list often none.
        var shifts: Set<UInt16> = []
        for listener in listen where shifts.insert(listener.portShift).inserted {
            for upstream in upstreams {
                let dialed = upstream.shifted(by: listener.portShift)
                guard wouldLoop(dialed) else { continue }
                throw .loop(listener.address, upstream: dialed.description)
            }
        }
    }

    /// Returns the first upstream of the route that is a literal and, for clients of a shared listener with this shift,
    /// a listening address of the engine.
    func loopingUpstream(shiftedBy portShift: UInt16) -> Upstream? {
        state.withLock { $0.upstreams }.map { $0.shifted(by: portShift) }.first { engine.wouldLoop(transport, $0) }
    }

    private func watchNames(_ plan: RoutePlan<Settings>) async {
        let workers = engine.workers
        let observer = plan.hooks.observer
        let number = number
        for (index, upstream) in plan.upstreams.enumerated() where upstream.literal == nil {
            let host = upstream.host.description
            let watch = await engine.resolver.watch(host) { answer, failure in
                observer?.resolved(upstream: index, failure: failure.map { DialFailure($0) })
                for worker in workers {
                    await worker.publish(answer, route: number, generation: plan.generation, upstream: index)
                }
            }
            state.withLock { $0.watches.append((host, watch)) }
        }
    }

    // MARK: End

    /// See ``Stream/close(drainTimeout:)``.
    public func close(drainTimeout: Duration) async {
        lifecycle.requestEnd()
        await turns.enter()
        defer { turns.leave() }
        if let shared = sharedToEnd() { await close(shared, drainTimeout: drainTimeout) }
    }

    private func close(_ shared: SharedRoute, drainTimeout: Duration) async {
        await refuseNew()
        for worker in engine.workers { await worker.drain(route: number, timeout: drainTimeout) }
    }

    /// See ``Stream/kill()``.
    public func kill() async {
        lifecycle.requestEnd()
        await turns.enter()
        defer { turns.leave() }
        guard sharedToEnd() != nil else { return }
        await refuseNew()
        for worker in engine.workers { await worker.kill(route: number) }
    }

    /// Returns the shared state of a route that must be ended; nil where it has ended. A route that never served ends
    /// here.
    private func sharedToEnd() -> SharedRoute? {
        if lifecycle.closeUnserved() { unbind() }
        return lifecycle.phase == .closed ? nil : state.withLock { $0.shared }
    }

    /// Stops accepting on every worker. Only then may a worker end its part: before that, another may still hand it a
    /// connection. A second call has no effect.
    private func refuseNew() async {
        let (listeners, leaving) = state.withLock { ($0.listeners, $0.leaving) }
        if lifecycle.beginClosing() {
            keepUntilClosed()
            await engine.announce(transport, listeners, isListening: false)
        }
        let numbers = (listeners + leaving).map(\.number)
        for worker in engine.workers { await worker.stopAccepting(numbers) }
    }

    /// Keeps the route alive until it has released what it shares with the engine.
    private func keepUntilClosed() {
        Task {
            await lifecycle.waitUntilClosed()
            withExtendedLifetime(self) {}
        }
    }

    /// See ``Stream/waitUntilClosed()``.
    public func waitUntilClosed() async {
        await lifecycle.waitUntilClosed()
    }

    private func workerFinished() {
        if lifecycle.workerFinished() { Task { await release() } }
    }

    /// Releases the route's resources after it has ended on every worker.
    private func release() async {
        await turns.enter()
        defer { turns.leave() }
        unstage()
        let (listeners, watches) = state.withLock { state in
            defer {
                state.watches = []
                state.leaving = []
            }
            return (state.listeners + state.leaving, state.watches)
        }
        for (host, watch) in watches { await engine.resolver.unwatch(watch, of: host) }
        for worker in engine.workers { await worker.forget(route: number, listeners: listeners.map(\.number)) }
        for listener in listeners { listener.release() }
        lifecycle.closed()
    }
}
