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
        /// The configured addresses, in order.
        var addresses: [ListenAddress]
        /// The listeners, bound or served, in the order of `addresses`.
        var listeners: [Listener] = []
        /// Removed listeners that still have clients.
        var leaving: [Listener] = []
        /// The state that the workers share; nil until the route serves.
        var shared: SharedRoute?
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

    /// The number of open connections or sessions over all listeners. It includes those whose dial is in progress.
    public var openCount: Int { count.value }

    // MARK: Start

    /// Binds all addresses, or none of them, without serving them yet: TCP clients wait in the kernel until
    /// ``listenAndServe(hooks:)``. A second call has no effect.
    /// - Throws: ``StreamError/bindFailed(_:_:)``, ``StreamError/closed``.
    public func bind() throws(StreamError) { try bind(joining: false) }

    /// Binds beside listeners of this engine that a change removes and that overlap the addresses. Over TCP the
    /// old listener keeps every client until this route serves.
    /// - Throws: ``StreamError/bindFailed(_:_:)``, ``StreamError/closed``.
    package func bindBesideRemoved() throws(StreamError) { try bind(joining: true) }

    private func bind(joining: Bool) throws(StreamError) {
        let result = state.withLock { state -> Result<Void, StreamError> in
            if state.shared != nil { return .success(()) }
            // Under the lock: an end that is requested later finds the listeners.
            if lifecycle.isEndRequested { return .failure(.closed) }
            do throws(StreamError) {
                state.listeners = try bound(state.addresses, state.settings, having: state.listeners, joining: joining)
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    /// Returns listeners at all of these addresses. It reuses those in `present` and binds the others, or none of them
    /// where it throws.
    func bound(
        _ addresses: [ListenAddress], _ settings: Settings, having present: [Listener], joining: Bool = false
    ) throws(StreamError) -> [Listener] {
        let options = operations.listenerSettings(settings)
        var present = present
        var listeners: [Listener] = []
        for address in addresses {
            if let index = present.firstIndex(where: { $0.configured == address }) {
                listeners.append(present.remove(at: index))
            } else {
                // A listener that is not returned closes its sockets in its deinitializer.
                listeners.append(
                    try Listener(
                        address, settings: options, isFreeBind: operations.isFreeBind(settings), engine: engine,
                        joins: joining))
            }
        }
        return listeners
    }

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

    /// Checks that no literal upstream of `upstreams` is one of the listening addresses.
    /// - Throws: ``StreamError/loop(_:upstream:)``.
    package func checkForLoops(_ upstreams: [Upstream], among listeners: OwnListeners) throws(StreamError) {
        let loop = upstreams.first { $0.literal.map { listeners.wouldLoop(transport, $0) } ?? false }
        guard let loop, let listen = state.withLock({ $0.addresses.first }) else { return }
        throw .loop(listen, upstream: loop.description)
    }

    /// Checks that no literal upstream is a listening address of the engine.
    func checkForLoops(_ upstreams: [Upstream]) throws(StreamError) {
        // A route without own listeners is checked when a shared listener uses it.
        guard let listen = state.withLock({ $0.addresses.first }) else { return }
        if let upstream = loopingUpstream(of: upstreams) { throw .loop(listen, upstream: upstream.description) }
    }

    /// Returns the first upstream, of these or of the route's, that is a literal and a listening address of the engine.
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
