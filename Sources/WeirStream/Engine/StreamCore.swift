import LinuxIO
import NetworkTypes

/// What TCP and UDP streams have in common: the life from bind to close, the watch over upstream names, and the
/// replacement of plans. The public stream types are thin faces of it.
final class StreamCore<Settings: Sendable>: Sendable {
    /// How a worker is told to serve, and to follow another plan.
    struct Calls: Sendable {
        let prepare: @Sendable (Worker, StreamPlan<Settings>, StreamServing) async -> Void
        let replace: @Sendable (Worker, StreamPlan<Settings>, UInt32) async -> Void
    }

    private struct State {
        var sockets: ListenerSockets?
        var granted = 0
        var serving: StreamServing?
        var watches: [(host: String, watch: Int)] = []
        var generation = 0
        var name: String
        var upstreams: [Upstream]
        var settings: Settings
    }

    let engine: StreamEngine
    let listen: ListenAddress
    private let lifecycle = StreamLifecycle()
    /// Start, update, reopen, close, kill and the release at the end take turns: each finds the stream whole.
    private let turns = TurnQueue()
    private let calls: Calls
    private let tcpOptions: @Sendable (Settings) -> TCPSettings?
    private let state: Lock<State>

    init(
        name: String, listen: ListenAddress, transport: Transport, upstreams: [Upstream], settings: Settings,
        engine: StreamEngine, calls: Calls, tcpOptions: @escaping @Sendable (Settings) -> TCPSettings?
    ) throws(StreamError) {
        guard listen.network.transport == transport else { throw .transportMismatch("\(listen)") }
        guard !upstreams.isEmpty else { throw .noUpstream }
        self.engine = engine
        self.listen = listen
        self.calls = calls
        self.tcpOptions = tcpOptions
        state = Lock(State(name: name, upstreams: upstreams, settings: settings))
    }

    var localAddress: SocketAddress {
        state.withLock { $0.sockets?.address ?? $0.serving?.address } ?? listen.address
    }

    var openCount: Int { state.withLock { $0.serving?.count.value } ?? 0 }

    // MARK: Start

    /// Takes the address, without serving it yet. Doing it twice does nothing.
    func bind() throws(StreamError) {
        let result = state.withLock { state -> Result<Void, StreamError> in
            if state.serving != nil { return .success(()) }
            // Under the lock: an end that is requested later finds the sockets.
            if lifecycle.isEndRequested { return .failure(.closed) }
            if state.sockets != nil { return .success(()) }
            let granted = engine.budget.takeListeners(wanted: engine.workerCount)
            do throws(StreamError) {
                state.sockets = try ListenerSockets(listen, count: granted, options: tcpOptions(state.settings))
                state.granted = granted
                return .success(())
            } catch {
                engine.budget.giveListeners(granted)
                return .failure(error)
            }
        }
        try result.get()
    }

    func serve(_ hooks: StreamHooks) async throws(StreamError) {
        await turns.enter()
        defer { turns.leave() }
        try lifecycle.start()
        do throws(StreamError) {
            try bind()
            try await start(hooks)
        } catch {
            unbind()
            // Where workers served already, the close that they are in ends the stream.
            if state.withLock({ $0.serving == nil }) { lifecycle.startFailed() }
            throw error
        }
    }

    /// Gives up an address that was bound and never served.
    private func unbind() {
        state.withLock { state in
            guard let sockets = state.sockets else { return }
            sockets.close()
            state.sockets = nil
            engine.budget.giveListeners(state.granted)
        }
    }

    private func start(_ hooks: StreamHooks) async throws(StreamError) {
        guard let sockets = state.withLock({ $0.sockets }) else { throw .closed }
        let transport = listen.network.transport
        await engine.announce(transport, sockets.address, isListening: true)
        let serving = StreamServing(
            number: engine.makeStreamNumber(), sockets: sockets, workers: engine.workers,
            onWorkerFinished: { [weak self] in self?.workerFinished() })
        let plan = makePlan(hooks)
        do throws(StreamError) {
            try checkForLoops(state.withLock { $0.upstreams })
            // Every worker knows the stream before one of them accepts: it may hand a connection to any other.
            for worker in engine.workers {
                try lifecycle.checkEndRequest()
                await calls.prepare(worker, plan, serving)
            }
            try lifecycle.checkEndRequest()
        } catch {
            for worker in engine.workers { await worker.forget(stream: serving.number) }
            await engine.announce(transport, sockets.address, isListening: false)
            throw error
        }
        state.withLock { state in
            state.serving = serving
            state.sockets = nil
        }
        // From here on there may be clients: a close or a kill that is asked for now comes after the start and ends them.
        lifecycle.started(workers: engine.workerCount)
        if let failure = await listen(on: sockets, serving) {
            await close(serving, drainTimeout: .zero)
            throw .bindFailed(listen, failure)
        }
        await watchNames(plan)
    }

    /// Gives the sockets to the workers, and returns the error of one that could not take its own.
    private func listen(on sockets: ListenerSockets, _ serving: StreamServing) async -> SystemError? {
        let numbers = sockets.take()
        // With fewer sockets than workers, streams take turns on who has theirs.
        let offset = numbers.count == engine.workerCount ? 0 : Int(serving.number) % engine.workerCount
        var failure: SystemError?
        for worker in engine.workers {
            let place = (worker.index + engine.workerCount - offset) % engine.workerCount
            guard place < numbers.count else { continue }
            do throws(SystemError) {
                try await worker.listen(numbers[place], stream: serving)
            } catch {
                failure = error
            }
        }
        return failure
    }

    // MARK: Plans

    func update(name: String, upstreams: [Upstream], settings: Settings, hooks: StreamHooks) async throws(StreamError) {
        guard !upstreams.isEmpty else { throw .noUpstream }
        await turns.enter()
        defer { turns.leave() }
        try checkForLoops(upstreams)
        await follow(name: name, upstreams: upstreams, settings: settings, hooks: hooks)
    }

    /// Points every worker to another plan, which was found to be possible.
    private func follow(name: String, upstreams: [Upstream], settings: Settings, hooks: StreamHooks) async {
        state.withLock { state in
            state.name = name
            state.upstreams = upstreams
            state.settings = settings
        }
        // One that has ended follows nothing any more.
        guard lifecycle.phase != .closed, let serving = state.withLock({ $0.serving }) else { return }
        let plan = makePlan(hooks)
        let old = state.withLock { state in
            defer { state.watches = [] }
            return state.watches
        }
        for worker in engine.workers { await calls.replace(worker, plan, serving.number) }
        // The new watches first: a name that both plans use keeps its answer.
        await watchNames(plan)
        for (host, watch) in old { await engine.resolver.unwatch(watch, of: host) }
    }

    /// A literal upstream that is one of our own listeners is a mistake that can be told at once.
    private func checkForLoops(_ upstreams: [Upstream]) throws(StreamError) {
        for upstream in upstreams {
            if let literal = upstream.literal, engine.wouldLoop(listen.network.transport, literal) {
                throw .loop(listen, upstream: upstream.description)
            }
        }
    }

    private func makePlan(_ hooks: StreamHooks) -> StreamPlan<Settings> {
        let resolver = engine.resolver
        return state.withLock { state in
            state.generation += 1
            let upstreams = state.upstreams
            return StreamPlan(
                name: state.name, upstreams: upstreams, settings: state.settings, hooks: hooks,
                generation: state.generation,
                refresh: { index in Task { await resolver.refresh(upstreams[index].host) } })
        }
    }

    private func watchNames(_ plan: StreamPlan<Settings>) async {
        guard let serving = state.withLock({ $0.serving }) else { return }
        let workers = engine.workers
        let observer = plan.hooks.observer
        for (index, upstream) in plan.upstreams.enumerated() where upstream.literal == nil {
            let watch = await engine.resolver.watch(upstream.host) { answer, succeeded in
                observer?.resolved(upstream: index, succeeded: succeeded)
                for worker in workers {
                    await worker.publish(
                        answer, stream: serving.number, generation: plan.generation, upstream: index)
                }
            }
            state.withLock { $0.watches.append((upstream.host, watch)) }
        }
    }

    // MARK: End

    /// Where it closes already, the shorter of both drain times counts.
    func close(drainTimeout: Duration) async {
        lifecycle.requestEnd()
        await turns.enter()
        defer { turns.leave() }
        if let serving = servingToEnd() { await close(serving, drainTimeout: drainTimeout) }
    }

    private func close(_ serving: StreamServing, drainTimeout: Duration) async {
        await refuseNew(serving)
        for worker in serving.workers { await worker.drain(stream: serving.number, timeout: drainTimeout) }
    }

    /// Also ends what a ``close(drainTimeout:)`` before it left to finish.
    func kill() async {
        lifecycle.requestEnd()
        await turns.enter()
        defer { turns.leave() }
        guard let serving = servingToEnd() else { return }
        await refuseNew(serving)
        for worker in serving.workers { await worker.kill(stream: serving.number) }
    }

    /// The workers' parts of a stream that has not ended. One that never served ends here and now.
    private func servingToEnd() -> StreamServing? {
        if lifecycle.closeUnserved() { unbind() }
        return lifecycle.phase == .closed ? nil : state.withLock { $0.serving }
    }

    /// Serves again what a ``close(drainTimeout:)`` has left draining, on the sockets that it still has, under another plan:
    /// nothing new begins before every worker follows it. False where it has ended, or is about to; where it throws it
    /// goes on draining.
    func reopen(
        name: String, upstreams: [Upstream], settings: Settings, hooks: StreamHooks
    ) async throws(StreamError) -> Bool {
        guard !upstreams.isEmpty else { throw .noUpstream }
        await turns.enter()
        defer { turns.leave() }
        guard lifecycle.phase == .closing, let serving = state.withLock({ $0.serving }) else { return false }
        // Our own address is one that it must not dial.
        await engine.announce(listen.network.transport, serving.address, isListening: true)
        do throws(StreamError) {
            try checkForLoops(upstreams)
        } catch {
            await engine.announce(listen.network.transport, serving.address, isListening: false)
            throw error
        }
        guard lifecycle.reopen(workers: engine.workerCount) else {
            await engine.announce(listen.network.transport, serving.address, isListening: false)
            return false
        }
        await follow(name: name, upstreams: upstreams, settings: settings, hooks: hooks)
        for worker in serving.workers { await worker.resume(stream: serving.number) }
        return true
    }

    /// What is shared with the engine is given back at the end, also where nobody else holds the stream until then.
    private func keepUntilClosed() {
        Task {
            await lifecycle.waitUntilClosed()
            withExtendedLifetime(self) {}
        }
    }

    /// First no worker accepts any more, and only then each may end: until then connections may still be handed from
    /// one to another. Doing it twice does no harm.
    private func refuseNew(_ serving: StreamServing) async {
        if lifecycle.beginClosing() {
            keepUntilClosed()
            await engine.announce(listen.network.transport, serving.address, isListening: false)
        }
        for worker in serving.workers { await worker.stopAccepting(stream: serving.number) }
    }

    func waitUntilClosed() async {
        await lifecycle.waitUntilClosed()
    }

    private func workerFinished() {
        if lifecycle.workerFinished() { Task { await release() } }
    }

    /// Everything has ended on every worker.
    private func release() async {
        await turns.enter()
        defer { turns.leave() }
        let (serving, watches) = state.withLock { state in
            defer { state.watches = [] }
            return (state.serving, state.watches)
        }
        for (host, watch) in watches { await engine.resolver.unwatch(watch, of: host) }
        if let serving {
            for worker in serving.workers { await worker.forget(stream: serving.number) }
        }
        engine.budget.giveListeners(state.withLock { $0.granted })
        lifecycle.closed()
    }
}
