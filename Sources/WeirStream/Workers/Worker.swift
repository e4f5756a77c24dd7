import LinuxIO
import NetworkTypes

/// One event-loop thread and the state confined to it, as an actor. Its control calls run between the turns of the
/// loop.
actor Worker: EventLoopDriver {
    nonisolated let thread: EventLoopThread
    nonisolated let index: Int
    let core: WorkerCore
    private let observer: (any EngineObserver)?

    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe thread.asUnownedSerialExecutor() }

    init(
        index: Int, threads: [EventLoopThread], loads: [WorkerLoad], budget: DescriptorBudget, bufferMemory: Int,
        clock: MonotonicClock, observer: (any EngineObserver)?
    ) throws(SystemError) {
        self.index = index
        thread = threads[index]
        self.observer = observer
        core = try WorkerCore(
            index: index, threads: threads, loads: loads, budget: budget, bufferMemory: bufferMemory, clock: clock)
    }

    /// See ``EventLoopDriver/turn(mayWait:)``.
    func turn(mayWait: Bool) {
        let busy = core.turn(mayWait: mayWait)
        observer?.turned(worker: index, busyNanoseconds: busy, timerLagNanoseconds: core.loop.timerLagNanoseconds)
    }

    // MARK: Routes and listeners

    /// Adds a TCP route and its listeners, without a socket yet. From now on other workers may hand connections over.
    func prepare(_ plan: RoutePlan<TCPSettings>, route: SharedRoute, listeners: [Listener]) {
        core.routes[route.number] = TCPRoute(core: core, plan: plan, shared: route)
        add(listeners, to: route.number)
    }

    /// Adds a UDP route and its listeners, without a socket yet.
    func prepare(_ plan: RoutePlan<UDPSettings>, route: SharedRoute, listeners: [Listener]) {
        core.routes[route.number] = UDPRoute(core: core, plan: plan, shared: route)
        add(listeners, to: route.number)
    }

    /// Applies another plan to new connections of a route.
    func replace(_ plan: RoutePlan<TCPSettings>, route: UInt32) {
        (core.routes[route] as? TCPRoute)?.follow(plan)
    }

    /// Applies another plan to new sessions of a route.
    func replace(_ plan: RoutePlan<UDPSettings>, route: UInt32) {
        (core.routes[route] as? UDPRoute)?.follow(plan)
    }

    /// Applies the result of a lookup to one upstream of a route, unless the route has another plan.
    func publish(_ answer: NameAnswer, route: UInt32, generation: Int, upstream: Int) {
        for upstreams in core.routes[route]?.upstreams(generation: generation) ?? [] {
            upstreams[upstream].publish(answer, on: core.loop)
        }
    }

    /// Notes which address of an upstream's name answers, as another worker has seen.
    func noteAnswer(of address: SocketAddress, route: UInt32, generation: Int, upstream: Int) {
        for upstreams in core.routes[route]?.upstreams(generation: generation) ?? []
        where upstreams[upstream].upstream.port == address.port {
            upstreams[upstream].answers.answered(address, now: core.loop.now)
            upstreams[upstream].prefer(address)
        }
    }

    /// Replaces the list of listening addresses, unless a newer one has arrived before.
    func setOwnListeners(_ listeners: OwnListeners) {
        if listeners.version > core.ownListeners.version { core.ownListeners = listeners }
    }

    /// Adds listeners of one route, without a socket yet.
    func add(_ listeners: [Listener], to route: UInt32) {
        guard let route = core.routes[route] else { return }
        for listener in listeners { core.listeners[listener.number] = route.makeListener(listener) }
    }

    /// Adds a shared listener, without a socket yet.
    func prepare(_ plan: ListenerPlan, listener: Listener, shared: SharedGate) {
        let gate = ListenerGate(core: core, plan: plan, shared: shared)
        core.listeners[listener.number] = TCPListener(core: core, bound: listener, gate: gate)
    }

    /// Applies another plan to new clients of a shared listener.
    func replace(_ plan: ListenerPlan, listener: UInt32) {
        (core.listeners[listener] as? TCPListener)?.follow(plan)
    }

    /// Ends every client of a shared listener. Before this call, every worker has stopped accepting by it.
    func kill(listener: UInt32) {
        core.takeHandoffs()
        (core.listeners[listener] as? TCPListener)?.kill()
    }

    /// Serves sockets of listeners that every worker knows, and owns them from now on. Returns the errors of
    /// epoll_ctl(2); these sockets are closed.
    func listen(_ shares: [ListenerShare]) -> [ServeFailure] {
        var failures: [ServeFailure] = []
        for share in shares {
            let socket = Socket(adopting: share.socket, family: share.listener.family)
            do throws(SystemError) {
                try core.listeners[share.listener.number]?.listen(socket)
            } catch {
                failures.append(ServeFailure(listener: share.listener, error: error))
            }
        }
        return failures
    }

    /// Stops accepting by these listeners. TCP accepts the pending connections and closes the sockets.
    func stopAccepting(_ listeners: [UInt32]) {
        for listener in listeners { core.listeners[listener]?.stopAccepting() }
    }

    /// Ends the remaining clients of these listeners after `timeout`. Before this call, every worker has stopped
    /// accepting by them.
    func drain(listeners: [UInt32], timeout: Duration) {
        core.takeHandoffs()
        for listener in listeners { core.listeners[listener]?.drain(timeout: timeout) }
    }

    /// Ends the remaining connections or sessions of a route after `timeout`. Before this call, every worker has
    /// stopped accepting.
    func drain(route: UInt32, timeout: Duration) {
        core.takeHandoffs()
        core.routes[route]?.drain(timeout: timeout)
    }

    /// Ends every connection or session of a route.
    func kill(route: UInt32) {
        core.takeHandoffs()
        core.routes[route]?.kill()
    }

    /// Ends the connections of a TCP route to an upstream that is out.
    func endConnections(to upstream: Upstream, route: UInt32) {
        core.takeHandoffs()
        (core.routes[route] as? TCPRoute)?.endConnections(to: upstream)
    }

    /// Ends what a route has at hosts that are gone.
    func leave(_ gone: [GoneHost], route: UInt32) {
        core.takeHandoffs()
        core.routes[route]?.leave(gone)
    }

    /// Cancels the drain of a route.
    func resume(route: UInt32) {
        core.routes[route]?.resume()
    }

    /// Cancels the drain of listeners that were removed separately.
    func resume(listeners: [UInt32]) {
        for listener in listeners { core.listeners[listener]?.resume() }
    }

    /// Removes listeners that have ended on every worker.
    func forget(listeners: [UInt32]) {
        for number in listeners {
            guard let listener = core.listeners.removeValue(forKey: number) else { continue }
            listener.close()
        }
    }

    /// Removes a route that has ended on every worker.
    func forget(route: UInt32, listeners: [UInt32]) {
        forget(listeners: listeners)
        core.routes.removeValue(forKey: route)?.close()
    }

    // MARK: Hooks

    /// Passes the decision of a pre-dial hook to its connection or session, if that is still open.
    func preDialEnded(_ token: EventToken, _ decision: DialDecision) {
        // The bound counts hooks that run, also those whose client has ended.
        core.leavePreDial()
        (core.loop.handler(of: token) as? any PreDialing)?.preDialEnded(decision)
    }
}
