import LinuxIO

/// One event-loop thread and all that runs on it, as an actor: control calls are awaited, and run between the turns.
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

    /// Makes a TCP route and its listeners known, without a socket yet: other workers may hand connections over from now
    /// on.
    func prepare(_ plan: RoutePlan<TCPSettings>, route: SharedRoute, listeners: [Listener]) {
        core.routes[route.number] = TCPRoute(core: core, plan: plan, shared: route)
        add(listeners, to: route.number)
    }

    /// Makes a UDP route and its listeners known, without a socket yet.
    func prepare(_ plan: RoutePlan<UDPSettings>, route: SharedRoute, listeners: [Listener]) {
        core.routes[route.number] = UDPRoute(core: core, plan: plan, shared: route)
        add(listeners, to: route.number)
    }

    /// New connections of a route follow another plan from now on.
    func replace(_ plan: RoutePlan<TCPSettings>, route: UInt32) {
        (core.routes[route] as? TCPRoute)?.follow(plan)
    }

    /// New sessions of a route follow another plan from now on.
    func replace(_ plan: RoutePlan<UDPSettings>, route: UInt32) {
        (core.routes[route] as? UDPRoute)?.follow(plan)
    }

    /// What a name gave, for one upstream of one plan of one route.
    func publish(_ answer: NameAnswer, route: UInt32, generation: Int, upstream: Int) {
        core.routes[route]?.upstreams(generation: generation)?[upstream].publish(answer, on: core.loop)
    }

    /// Our own addresses changed. Two changes at once may come here in either order.
    func setOwnListeners(_ listeners: OwnListeners) {
        if listeners.version > core.ownListeners.version { core.ownListeners = listeners }
    }

    /// Makes listeners known whose clients go to one route, without a socket yet.
    func add(_ listeners: [Listener], to route: UInt32) {
        guard let route = core.routes[route] else { return }
        for listener in listeners { core.listeners[listener.number] = route.makeListener(listener) }
    }

    /// Makes a shared listener known, without a socket yet.
    func prepare(_ plan: ListenerPlan, listener: Listener, shared: SharedGate) {
        let gate = ListenerGate(core: core, plan: plan, shared: shared)
        core.listeners[listener.number] = TCPListener(core: core, bound: listener, gate: gate)
    }

    /// New clients of a shared listener follow another plan from now on.
    func replace(_ plan: ListenerPlan, listener: UInt32) {
        (core.listeners[listener] as? TCPListener)?.follow(plan)
    }

    /// Ends all that came by a shared listener. Every worker has stopped accepting before.
    func kill(listener: UInt32) {
        core.takeHandoffs()
        (core.listeners[listener] as? TCPListener)?.kill()
    }

    /// Serves `socket` for a listener that is known on every worker.
    func listen(_ socket: CInt, listener: Listener) throws(SystemError) {
        let socket = Socket(adopting: socket, family: listener.family)
        try core.listeners[listener.number]?.listen(socket)
    }

    /// Takes nothing new by these listeners. TCP closes their sockets, after accepting all that waits in them.
    func stopAccepting(_ listeners: [UInt32]) {
        for listener in listeners { core.listeners[listener]?.stopAccepting() }
    }

    /// Ends what came by these listeners once `timeout` is over. Every worker has stopped accepting by them before.
    func drain(listeners: [UInt32], timeout: Duration) {
        core.takeHandoffs()
        for listener in listeners { core.listeners[listener]?.drain(timeout: timeout) }
    }

    /// Ends what a route still carries once `timeout` is over. Every worker has stopped accepting before.
    func drain(route: UInt32, timeout: Duration) {
        core.takeHandoffs()
        core.routes[route]?.drain(timeout: timeout)
    }

    /// Ends all that a route still carries.
    func kill(route: UInt32) {
        core.takeHandoffs()
        core.routes[route]?.kill()
    }

    /// Takes up again what was draining.
    func resume(route: UInt32) {
        core.routes[route]?.resume()
    }

    /// Takes up again listeners that were draining alone.
    func resume(listeners: [UInt32]) {
        for listener in listeners { core.listeners[listener]?.resume() }
    }

    /// Forgets listeners that have ended on every worker.
    func forget(listeners: [UInt32]) {
        for number in listeners {
            guard let listener = core.listeners.removeValue(forKey: number) else { continue }
            listener.close()
        }
    }

    /// Forgets a route that has ended on every worker.
    func forget(route: UInt32, listeners: [UInt32]) {
        forget(listeners: listeners)
        core.routes.removeValue(forKey: route)?.close()
    }

    // MARK: Hooks

    /// A pre-dial hook of a connection or session ended.
    func preDialEnded(_ token: EventToken, _ decision: DialDecision) {
        // Given back when the hook has really ended, however long its client is gone: that is what is bounded.
        core.leavePreDial()
        (core.loop.handler(of: token) as? any PreDialing)?.preDialEnded(decision)
    }
}
