import LinuxIO
import NetworkTypes
import Threading

/// A TCP listener that belongs to no route. Its clients go to one given route, or to the route of a table that their
/// first bytes choose.
///
/// ```swift
/// let listener = try SharedListener("tcp://:443", engine: engine)
/// try await web.listenAndServe(); try await ssh.listenAndServe()     // made with `listen: []`
/// try await listener.serve(.table(FirstBytesTable(matcher: TLSOrNot(), routes: [web, ssh])))
/// ```
///
/// A route sees a client from the choice on: its limits, hooks and observer do not see undecided clients. Routes may
/// outlive the listener or end before it: a client whose chosen route does not serve is reset.
///
/// Call it from any task. Its calls that change the listener run one at a time.
public final class SharedListener: Sendable {
    private struct State {
        var settings: ListenerSettings
        var listener: Listener?
        var isServing = false
    }

    private let engine: StreamEngine
    private let listen: ListenAddress
    private let lifecycle = ServiceLifecycle()
    private let turns = TurnQueue()
    private let undecided = RouteCount()
    private let state: Lock<State>

    /// Creates a listener at `tcp://127.0.0.1:8080` (`tcp4`, `tcp6`; `tcp://:8080` for every address). It binds nothing
    /// yet.
    /// - Throws: ``StreamError/invalidListenAddress(_:)``, ``StreamError/addressFamilyMismatch(_:)``,
    ///   ``StreamError/transportMismatch(_:)``.
    public convenience init(
        _ listen: String, settings: ListenerSettings = ListenerSettings(), engine: StreamEngine
    ) throws(StreamError) {
        let address = try StreamError.reading { () throws(EndpointError) in try ListenAddress(listen) }
        try self.init(address, settings: settings, engine: engine)
    }

    /// Creates a listener at an address. It binds nothing yet.
    /// - Throws: ``StreamError/transportMismatch(_:)`` for a UDP address: datagrams have no first bytes of a stream.
    public init(
        _ listen: ListenAddress, settings: ListenerSettings = ListenerSettings(), engine: StreamEngine
    ) throws(StreamError) {
        guard listen.network.transport == .tcp else { throw .transportMismatch("\(listen)") }
        self.engine = engine
        self.listen = listen
        state = Lock(State(settings: settings))
    }

    /// The listening address, with the real port once it is bound.
    public var localAddress: SocketAddress {
        let bound = state.withLock { $0.listener?.address }
        return bound ?? listen.unboundAddress
    }

    /// The number of clients for which no route is chosen yet.
    public var undecidedCount: Int { undecided.value }

    // MARK: Start

    /// Binds the address without serving it yet: clients wait in the kernel until ``serve(_:hooks:)``. A second call
    /// has no effect.
    /// - Throws: ``StreamError/bindFailed(_:_:)``, ``StreamError/closed``.
    public func bind() throws(StreamError) { try bind(joining: false) }

    /// Binds beside listeners of this engine that a change removes and that overlap the address: the old listener keeps
    /// every client until this one serves.
    /// - Throws: ``StreamError/bindFailed(_:_:)``, ``StreamError/closed``.
    package func bindBesideRemoved() throws(StreamError) { try bind(joining: true) }

    private func bind(joining: Bool) throws(StreamError) {
        let result = state.withLock { state -> Result<Void, StreamError> in
            if state.isServing { return .success(()) }
            // Under the lock: an end that is requested later finds the sockets.
            if lifecycle.isEndRequested { return .failure(.closed) }
            if state.listener != nil { return .success(()) }
            do throws(StreamError) {
                state.listener = try Listener(
                    listen, settings: state.settings, isFreeBind: state.settings.isFreeBind, engine: engine,
                    joins: joining)
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    /// Binds, and hands clients to `target` until the listener is closed or killed. Returns once it serves. The routes
    /// must belong to the same engine.
    /// - Throws: ``StreamError/bindFailed(_:_:)``, ``StreamError/loop(_:upstream:)``, ``StreamError/closed``,
    ///   ``StreamError/alreadyStarted``. After an error the listener is not bound.
    public func serve(_ target: ListenerTarget, hooks: ListenerHooks = ListenerHooks()) async throws(StreamError) {
        await turns.enter()
        defer { turns.leave() }
        try lifecycle.start()
        do throws(StreamError) {
            try bind()
            try await start(target, hooks)
        } catch {
            unbind()
            if !state.withLock({ $0.isServing }) { lifecycle.startFailed() }
            throw error
        }
    }

    private func unbind() {
        let listener = state.withLock { state in state.isServing ? nil : state.listener.take() }
        listener?.release()
    }

    private func start(_ target: ListenerTarget, _ hooks: ListenerHooks) async throws(StreamError) {
        guard let listener = state.withLock({ $0.listener }) else { throw .closed }
        await engine.announce(.tcp, [listener], isListening: true)
        let plan = makePlan(target, hooks)
        let shared = SharedGate(undecided: undecided) { [weak self] _ in self?.listenerFinished() }
        do throws(StreamError) {
            try checkForLoops(target)
            // Every worker must know the listener before one accepts: it may hand a connection to any other.
            for worker in engine.workers {
                try lifecycle.checkEndRequest()
                await worker.prepare(plan, listener: listener, shared: shared)
            }
            try lifecycle.checkEndRequest()
        } catch {
            for worker in engine.workers { await worker.forget(listeners: [listener.number]) }
            await engine.announce(.tcp, [listener], isListening: false)
            throw error
        }
        state.withLock { $0.isServing = true }
        lifecycle.started(workers: 1)
        if let failure = await listener.serve() {
            await refuseNew(listener)
            for worker in engine.workers { await worker.kill(listener: listener.number) }
            throw .bindFailed(listen, failure)
        }
    }

    private func makePlan(_ target: ListenerTarget, _ hooks: ListenerHooks) -> ListenerPlan {
        // A worker finds a route by its number, which is unique within the engine.
        precondition(target.routes.allSatisfy { $0.engine === engine }, "a listener and its routes have one engine")
        return ListenerPlan(target, settings: state.withLock { $0.settings }, hooks: hooks, engine: engine)
    }

    private func checkForLoops(_ target: ListenerTarget) throws(StreamError) {
        for (route, portShift) in zip(target.routes, target.portShifts) {
            if let upstream = route.loopingUpstream(shiftedBy: portShift) {
                throw .loop(listen, upstream: upstream.description)
            }
        }
    }

    /// Hands clients that are accepted from now on to another target, under other settings and hooks. Undecided clients
    /// keep the target under which they were accepted.
    /// - Throws: ``StreamError/loop(_:upstream:)``. After an error the listener is unchanged.
    public func update(
        _ target: ListenerTarget, settings: ListenerSettings, hooks: ListenerHooks = ListenerHooks()
    ) async throws(StreamError) {
        await turns.enter()
        defer { turns.leave() }
        try checkForLoops(target)
        state.withLock { $0.settings = settings }
        guard lifecycle.phase == .serving, let listener = state.withLock({ $0.listener }) else { return }
        let plan = makePlan(target, hooks)
        for worker in engine.workers { await worker.replace(plan, listener: listener.number) }
    }

    // MARK: End

    /// Refuses new clients and lets the accepted ones finish, for at most `drainTimeout`: undecided ones may still
    /// choose a route; the remaining connections then end as `drained`. The routes continue. The other rules of
    /// ``Stream/close(drainTimeout:)`` hold here, too.
    public func close(drainTimeout: Duration = .seconds(30)) async {
        await end { worker, listener in await worker.drain(listeners: [listener.number], timeout: drainTimeout) }
    }

    /// Ends every client of the listener now. The routes continue.
    public func kill() async {
        await end { worker, listener in await worker.kill(listener: listener.number) }
    }

    private func end(_ tell: @Sendable (Worker, Listener) async -> Void) async {
        lifecycle.requestEnd()
        await turns.enter()
        defer { turns.leave() }
        if lifecycle.closeUnserved() { unbind() }
        guard lifecycle.phase != .closed, let listener = state.withLock({ $0.listener }) else { return }
        await refuseNew(listener)
        for worker in engine.workers { await tell(worker, listener) }
    }

    private func refuseNew(_ listener: Listener) async {
        if lifecycle.beginClosing() {
            keepUntilClosed()
            listener.beginClosing()
            await engine.announce(.tcp, [listener], isListening: false)
        }
        for worker in engine.workers { await worker.stopAccepting([listener.number]) }
    }

    /// Keeps the listener alive until it has released what it shares with the engine.
    private func keepUntilClosed() {
        Task {
            await lifecycle.waitUntilClosed()
            withExtendedLifetime(self) {}
        }
    }

    /// Returns when the last client of the listener has ended and every resource is released.
    public func waitUntilClosed() async {
        await lifecycle.waitUntilClosed()
    }

    private func listenerFinished() {
        if lifecycle.workerFinished() { Task { await release() } }
    }

    private func release() async {
        await turns.enter()
        defer { turns.leave() }
        if let listener = state.withLock({ $0.listener }) {
            for worker in engine.workers { await worker.forget(listeners: [listener.number]) }
            listener.release()
        }
        lifecycle.closed()
    }
}
