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
        observer?.turned(worker: index, busyNanoseconds: busy, timerLagNanoseconds: core.loop.timerLag)
    }

    // MARK: Streams

    /// Makes a TCP stream known, without a socket yet: other workers may hand connections over from now on.
    func prepare(_ plan: StreamPlan<TCPSettings>, stream: StreamServing) {
        core.streams[stream.number] = TCPListener(core: core, plan: plan, serving: stream)
    }

    /// Makes a UDP stream known, without a socket yet.
    func prepare(_ plan: StreamPlan<UDPSettings>, stream: StreamServing) {
        core.streams[stream.number] = UDPListener(core: core, plan: plan, serving: stream)
    }

    /// Serves `socket` for a stream that was prepared on every worker.
    func listen(_ socket: CInt, stream: StreamServing) throws(SystemError) {
        let socket = Socket(adopting: socket, family: stream.family)
        try (core.streams[stream.number] as? any DrainingStream)?.listen(socket)
    }

    /// New connections of a stream follow another plan from now on.
    func replace(_ plan: StreamPlan<TCPSettings>, stream: UInt32) {
        guard let listener = core.streams[stream] as? TCPListener else { return }
        listener.route = StreamRoute(plan, worker: index, previous: listener.route)
    }

    /// New sessions of a stream follow another plan from now on.
    func replace(_ plan: StreamPlan<UDPSettings>, stream: UInt32) {
        guard let listener = core.streams[stream] as? UDPListener else { return }
        listener.follow(StreamRoute(plan, worker: index, previous: listener.route))
    }

    /// What a name gave, for one upstream of one plan of one stream.
    func publish(_ answer: NameAnswer, stream: UInt32, generation: Int, upstream: Int) {
        let upstreams: [UpstreamState]
        switch core.streams[stream] {
        case let listener as TCPListener where listener.route.generation == generation:
            upstreams = listener.route.upstreams
        case let listener as UDPListener where listener.route.generation == generation:
            upstreams = listener.route.upstreams
        default: return
        }
        upstreams[upstream].publish(answer, on: core.loop)
    }

    /// Our own addresses changed. Two changes at once may come here in either order.
    func setOwnListeners(_ listeners: OwnListeners) {
        if listeners.version > core.ownListeners.version { core.ownListeners = listeners }
    }

    /// Closes the listening socket of a stream, after accepting all that waits in it.
    func stopAccepting(stream: UInt32) {
        (core.streams[stream] as? any DrainingStream)?.stopAccepting()
    }

    /// Ends what a stream still carries once `timeout` is over. Every worker has stopped accepting before.
    func drain(stream: UInt32, timeout: Duration) {
        core.takeHandoffs()
        (core.streams[stream] as? any DrainingStream)?.drain(timeout: timeout)
    }

    /// Ends all that a stream still carries.
    func kill(stream: UInt32) {
        core.takeHandoffs()
        (core.streams[stream] as? any DrainingStream)?.kill()
    }

    /// Takes up again what was draining.
    func resume(stream: UInt32) {
        (core.streams[stream] as? UDPListener)?.resume()
    }

    /// Forgets a stream that has ended on every worker.
    func forget(stream: UInt32) {
        (core.streams[stream] as? any DrainingStream)?.close()
        core.streams[stream] = nil
    }

    // MARK: Hooks

    /// A pre-dial hook of a connection or session ended.
    func preDialEnded(_ token: EventToken, _ decision: DialDecision) {
        // Given back when the hook has really ended, however long its client is gone: that is what is bounded.
        core.leavePreDial()
        (core.loop.handler(of: token) as? any PreDialing)?.preDialEnded(decision)
    }
}

/// A stream's part on a worker, on its way out.
protocol DrainingStream: WorkerStream {
    func listen(_ bound: consuming Socket) throws(SystemError)
    func stopAccepting()
    func drain(timeout: Duration)
    func kill()
    /// The stream has ended on every worker.
    func close()
}

/// A connection or session whose pre-dial hook runs.
protocol PreDialing: AnyObject {
    func preDialEnded(_ decision: DialDecision)
}
