import LinuxIO
import NetworkTypes
import Threading

/// A route: a name, the addresses where it listens, and the upstreams that its clients are led to. ``TCPStream`` relays
/// connections, ``UDPStream`` datagrams.
///
/// However many listeners and workers it has, it has one set of counts, limits and upstream states, and one list of sessions
/// that may be evicted on each worker.
public final class Route<Settings: Hashable & Sendable>: Stream {
    struct State {
        var name: String
        var upstreams: [Upstream]
        var settings: Settings
        /// The addresses as configured, in order.
        var addresses: [ListenAddress]
        /// Its listeners, bound or served, in the order of `addresses`.
        var listeners: [Listener] = []
        /// Listeners that were removed and still carry something.
        var leaving: [Listener] = []
        /// Once the workers know the route.
        var shared: SharedRoute?
        var watches: [(host: String, watch: Int)] = []
        var generation = 0
    }

    let engine: StreamEngine
    let transport: Transport
    /// The route's number in its engine.
    let number: UInt32
    let lifecycle = ServiceLifecycle()
    /// Start, update, reopen, close, kill and the release at the end take turns: each finds the route whole.
    let turns = TurnQueue()
    let operations: WorkerOperations<Settings>
    let state: Lock<State>
    private let count = RouteCount()

    init(
        name: String, listen: [ListenAddress], transport: Transport, upstreams: [Upstream], settings: Settings,
        engine: StreamEngine, operations: WorkerOperations<Settings>
    ) throws(StreamError) {
        try Self.check(listen, transport)
        try Self.check(upstreams, transport)
        self.engine = engine
        self.transport = transport
        self.operations = operations
        number = engine.makeRouteNumber()
        state = Lock(State(name: name, upstreams: upstreams, settings: settings, addresses: listen))
    }

    static func check(_ listen: [ListenAddress], _ transport: Transport) throws(StreamError) {
        for address in listen where address.network.transport != transport {
            throw .transportMismatch("\(address)")
        }
    }

    /// A route needs an upstream, and none may ask for the other transport.
    static func check(_ upstreams: [Upstream], _ transport: Transport) throws(StreamError) {
        guard !upstreams.isEmpty else { throw .noUpstream }
        for upstream in upstreams {
            guard let named = upstream.transport, named != transport else { continue }
            throw .transportMismatch("\(named.rawValue)://\(upstream)")
        }
    }

    /// Where it listens first: after ``listenAndServe(hooks:)`` the bound address with its real port. A route without an
    /// address of its own has none: every address, and port 0.
    public var localAddress: SocketAddress { localAddresses.first ?? SocketAddress(.anyIPv4, port: 0) }

    /// Where it listens, in the order in which that was told; once bound with the real ports.
    public var localAddresses: [SocketAddress] {
        state.withLock { state in
            state.listeners.count == state.addresses.count
                ? state.listeners.map(\.address) : state.addresses.map(\.unboundAddress)
        }
    }

    /// See ``Stream/logMetadata``.
    public var logMetadata: [String: String] {
        state.withLock { state in
            let isBound = state.listeners.count == state.addresses.count
            let listening = state.addresses.indices.map { index in
                let address = isBound ? state.listeners[index].address : state.addresses[index].unboundAddress
                return "\(state.addresses[index].network.rawValue)://\(address)"
            }
            return [
                "protocol": transport.rawValue, "route": state.name, "listen": listening.joined(separator: ","),
                "dst": state.upstreams.map(\.description).joined(separator: ","),
            ]
        }
    }

    /// How many connections or sessions are open over all listeners, those that are being dialed included.
    public var openCount: Int { count.value }

    // MARK: Start

    /// Takes the addresses, or none of them, without serving them yet: clients wait in the kernel until
    /// ``listenAndServe(hooks:)``. Doing it twice does nothing.
    public func bind() throws(StreamError) {
        let result = state.withLock { state -> Result<Void, StreamError> in
            if state.shared != nil { return .success(()) }
            // Under the lock: an end that is requested later finds the listeners.
            if lifecycle.isEndRequested { return .failure(.closed) }
            do throws(StreamError) {
                state.listeners = try bound(state.addresses, state.settings, having: state.listeners)
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    /// Listeners at all of these addresses, those that are there already taken over. Where it throws nothing new is bound.
    func bound(
        _ addresses: [ListenAddress], _ settings: Settings, having present: [Listener]
    ) throws(StreamError) -> [Listener] {
        let options = operations.listenerSettings(settings)
        var present = present
        var listeners: [Listener] = []
        for address in addresses {
            if let index = present.firstIndex(where: { $0.configured == address }) {
                listeners.append(present.remove(at: index))
            } else {
                // A listener that is not returned closes its sockets as it goes.
                listeners.append(try Listener(address, settings: options, engine: engine))
            }
        }
        return listeners
    }

    /// Binds, and serves until it is closed or killed. See ``Stream/listenAndServe(hooks:)``.
    public func listenAndServe(hooks: StreamHooks) async throws(StreamError) {
        await turns.enter()
        defer { turns.leave() }
        try lifecycle.start()
        do throws(StreamError) {
            try bind()
            try await start(hooks)
        } catch {
            unbind()
            // Where workers served already, the close that they are in ends the route.
            if state.withLock({ $0.shared == nil }) { lifecycle.startFailed() }
            throw error
        }
    }

    /// Gives up addresses that were bound and never served.
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
            // Every worker knows the route before one of them accepts: it may hand a connection to any other.
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
        // From here on there may be clients: a close or a kill that is asked for now comes after the start and ends them.
        lifecycle.started(workers: engine.workerCount)
        for listener in listeners {
            guard let failure = await listener.serve() else { continue }
            await close(shared, drainTimeout: .zero)
            throw .bindFailed(listener.configured, failure)
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
                name: state.name, upstreams: upstreams, settings: state.settings, hooks: hooks,
                generation: state.generation,
                refresh: { index in Task { await resolver.refresh(upstreams[index].host.description) } })
        }
    }

    /// Points every worker to another plan, which was found to be possible.
    func follow(_ plan: RoutePlan<Settings>) async {
        let old = state.withLock { state in
            defer { state.watches = [] }
            return state.watches
        }
        for worker in engine.workers { await operations.replace(worker, plan, number) }
        // The new watches first: a name that both plans use keeps its answer.
        await watchNames(plan)
        for (host, watch) in old { await engine.resolver.unwatch(watch, of: host) }
    }

    /// A literal upstream that is one of our own listeners is a mistake that can be told at once.
    func checkForLoops(_ upstreams: [Upstream]) throws(StreamError) {
        // A route that has none of its own is checked with the listeners that lead to it.
        guard let listen = state.withLock({ $0.addresses.first }) else { return }
        if let upstream = loopingUpstream(of: upstreams) { throw .loop(listen, upstream: upstream.description) }
    }

    /// The first upstream, of these or of the route's, that is a literal and one of our own listeners.
    func loopingUpstream(of upstreams: [Upstream]? = nil) -> Upstream? {
        (upstreams ?? state.withLock { $0.upstreams }).first { upstream in
            upstream.literal.map { engine.wouldLoop(transport, $0) } ?? false
        }
    }

    private func watchNames(_ plan: RoutePlan<Settings>) async {
        let workers = engine.workers
        let observer = plan.hooks.observer
        let number = number
        for (index, upstream) in plan.upstreams.enumerated() where upstream.literal == nil {
            let host = upstream.host.description
            let watch = await engine.resolver.watch(host) { answer, succeeded in
                observer?.resolved(upstream: index, succeeded: succeeded)
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

    /// The workers' parts of a route that has not ended. One that never served ends here and now.
    private func sharedToEnd() -> SharedRoute? {
        if lifecycle.closeUnserved() { unbind() }
        return lifecycle.phase == .closed ? nil : state.withLock { $0.shared }
    }

    /// First no worker accepts any more, and only then each may end: until then connections may still be handed from
    /// one to another. Doing it twice does no harm.
    private func refuseNew() async {
        let (listeners, leaving) = state.withLock { ($0.listeners, $0.leaving) }
        if lifecycle.beginClosing() {
            keepUntilClosed()
            await engine.announce(transport, listeners, isListening: false)
        }
        let numbers = (listeners + leaving).map(\.number)
        for worker in engine.workers { await worker.stopAccepting(numbers) }
    }

    /// What is shared with the engine is given back at the end, also where nothing else holds the route until then.
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

    /// Everything has ended on every worker.
    private func release() async {
        await turns.enter()
        defer { turns.leave() }
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
