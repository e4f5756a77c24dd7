import Glibc
import LinuxIO
import NetworkTypes

/// A TCP listener's part on one worker: it accepts connections and hands each to its worker and its route. Confined to
/// the worker.
final class TCPListener: EventHandler, WorkerListener {
    let core: WorkerCore
    let bound: Listener
    private let target: Target
    private var socket: Socket?
    private var token: EventToken?
    private var acceptedCount = 0
    /// Open connections of this worker that the listener accepted.
    private var openCount = 0
    /// The estimated number of connections of the next event.
    private var expected = 1
    private var isPaused = false
    /// Whether the worker will call ``deferred(tag:)`` when a connection ends.
    private var isQueuedForResume = false
    private var resumeTimer = TimerWheel.Identifier.none
    private var isClosing = false
    /// Whether the listener is removed while its route stays. No worker accepts by it any more, so none hands a
    /// connection over.
    private var isDraining = false
    private var isDone = false
    private var drainTimer = DrainTimer()

    /// The owner of its clients.
    private enum Target {
        /// A route that has its own listeners.
        case route(TCPRoute)
        /// A ``SharedListener``.
        case gate(ListenerGate)
    }

    private enum TimerTag {
        static let resume = 0
        static let drain = 1
    }

    /// The interval of attempts to resume a paused listener, which also resumes when a connection of its worker ends.
    private static let retryIntervalNanoseconds: UInt64 = 100_000_000

    init(core: WorkerCore, bound: Listener, route: TCPRoute) {
        self.core = core
        self.bound = bound
        target = .route(route)
        token = core.loop.insert(self)
    }

    init(core: WorkerCore, bound: Listener, gate: ListenerGate) {
        self.core = core
        self.bound = bound
        target = .gate(gate)
        token = core.loop.insert(self)
    }

    /// Begins to accept on a listening socket.
    func listen(_ new: consuming Socket) throws(SystemError) {
        guard let token else { return }
        try core.loop.add(new.number, .readable, token: token)
        socket = consume new
    }

    /// Sets the options that connections inherit which are accepted from now on.
    func apply(_ settings: ListenerSettings, previous: ListenerSettings) {
        guard bound.family == .unix else {
            socket?.setListenerOptions(settings, previous: previous)
            return
        }
        // A file that is not ours any more keeps its bits.
        if socket != nil, settings.unixMode != previous.unixMode { try? bound.file?.setMode(settings.unixMode) }
    }

    // MARK: Accepting

    func descriptorReady(_ events: EventSet, tag: Int) {
        if isPaused { resumeAccepting() } else { acceptBatch() }
    }

    /// A connection of the worker has ended.
    func deferred(tag: Int) {
        isQueuedForResume = false
        resumeAccepting()
    }

    /// Accepts about as many connections as the last event brought. Level-triggered: the remaining ones are reported in
    /// the next turn, and the extra accept(2) that would return EAGAIN is saved.
    private func acceptBatch() {
        let limit = min(expected, WorkerCore.acceptsPerTurn)
        let before = acceptedCount
        let mayHaveMore = accept(atMost: limit)
        expected = mayHaveMore ? limit * 2 : max(1, acceptedCount - before)
    }

    /// Accepts until no connection is pending, the limit is reached, or descriptors or memory run out. Returns whether
    /// more connections may be pending.
    private func accept(atMost limit: Int) -> Bool {
        for _ in 0..<limit {
            guard socket != nil else { return false }
            guard core.budget.acquireConnection() else {
                pause()
                return false
            }
            switch socket!.accept() {
            case .accepted(let client, let address):
                acceptedCount += 1
                assignWorker(client, address)
            case .wouldBlock:
                core.budget.releaseConnection()
                return false
            case .failed(let error):
                core.budget.releaseConnection()
                let reason = AcceptErrorReason(error)
                acceptFailed(reason, error)
                // An error of one connection (accept(2)) does not delay the next one.
                if reason == .descriptorLimit || reason == .memory {
                    pause()
                    return false
                }
            }
        }
        return true
    }

    private func assignWorker(_ client: consuming Socket, _ address: SocketAddress) {
        let worker = isClosing ? core.index : core.leastLoadedWorker(accepting: bound.socketCount)
        if worker == core.index {
            open(client, address)
            return
        }
        let number = client.release()
        let handoff = Handoff(descriptor: number, listener: bound.number, peer: address)
        if !core.handOver(handoff, to: worker) { open(Socket(adopting: number, family: bound.family), address) }
    }

    func take(_ handoff: Handoff) {
        open(Socket(adopting: handoff.descriptor, family: bound.family), handoff.peer)
    }

    private func open(_ client: consuming Socket, _ address: SocketAddress) {
        switch target {
        case .route(let route): route.open(client, address, by: self)
        case .gate(let gate): gate.take(client, address, by: self)
        }
    }

    private func acceptFailed(_ reason: AcceptErrorReason, _ error: SystemError) {
        switch target {
        case .route(let route): route.plan.observer?.acceptFailed(reason: reason, error: error, worker: core.index)
        case .gate(let gate): gate.plan.hooks.observer?.acceptFailed(reason: reason, error: error, worker: core.index)
        }
    }

    private func acceptPaused() {
        switch target {
        case .route(let route): route.plan.observer?.acceptPaused(worker: core.index)
        case .gate(let gate): gate.plan.hooks.observer?.acceptPaused(worker: core.index)
        }
    }

    /// Counts a connection of the listener that begins on this worker.
    func clientOpened() { openCount += 1 }

    /// A connection of the listener has ended and released its resources.
    func clientEnded() {
        openCount -= 1
        finishIfDone()
    }

    // MARK: Pause without descriptors or memory

    private func pause() {
        // Closing accepts also from a paused listener, which is not registered any more.
        guard !isPaused, let token, let number = socket?.number else { return }
        isPaused = true
        acceptPaused()
        // Level-triggered: a pending client would otherwise wake the loop in every turn.
        do {
            try core.loop.withdraw(number)
        } catch {
            preconditionFailure("a registered listener: \(error)")
        }
        if !isQueuedForResume {
            isQueuedForResume = true
            core.resumeWhenConnectionEnds(token)
        }
        scheduleResume(token)
    }

    private func scheduleResume(_ token: EventToken) {
        core.loop.cancel(&resumeTimer)
        resumeTimer = core.loop.schedule(
            afterNanoseconds: Self.retryIntervalNanoseconds, token: token.with(tag: TimerTag.resume))
    }

    private func resumeAccepting() {
        guard isPaused, let token, let number = socket?.number else { return }
        do {
            try core.loop.add(number, .readable, token: token)
            isPaused = false
        } catch {
            // No memory for the registration (epoll_ctl(2)): the timer tries again.
            scheduleResume(token)
        }
    }

    func timerFired(tag: Int, deadline: UInt64) {
        if tag == TimerTag.drain { endDrained() } else { resumeAccepting() }
    }

    // MARK: Ending

    /// Accepts the pending connections, which close(2) would reset, and closes the socket.
    func stopAccepting() {
        isClosing = true
        guard socket != nil else { return }
        // Clients find nothing at a path from now on, instead of a socket that closes next.
        bound.file?.remove()
        var rounds = 0
        while accept(atMost: WorkerCore.acceptsPerTurn), rounds < 1024 { rounds += 1 }
        socket.take()?.close()
    }

    func drain(timeout: Duration) {
        guard let token, !isDone else { return }
        isDraining = true
        if openCount == 0 {
            finishIfDone()
        } else {
            drainTimer.arm(after: timeout, token: token.with(tag: TimerTag.drain), on: core.loop)
        }
    }

    private func finishIfDone() {
        guard isDraining, openCount == 0, !isDone else { return }
        release()
        switch target {
        case .route(let route): route.shared.workerFinished(bound)
        case .gate(let gate): gate.shared.workerFinished(bound)
        }
    }

    /// Ends the connections that are still open after the drain time.
    private func endDrained() {
        switch target {
        case .route(let route): route.endDrained(by: self)
        case .gate(let gate):
            gate.failAll(.drained)
            for case let route as TCPRoute in core.routes.values { route.endDrained(by: self) }
        }
    }

    /// Ends every client of a shared listener.
    func kill() {
        isDraining = true
        if case .gate(let gate) = target {
            gate.failAll(.drained)
            for case let route as TCPRoute in core.routes.values { route.endKilled(by: self) }
        }
        finishIfDone()
    }

    /// Applies another plan to new clients of a shared listener.
    func follow(_ plan: ListenerPlan) {
        guard case .gate(let gate) = target else { return }
        if plan.settings != gate.plan.settings { apply(plan.settings, previous: gate.plan.settings) }
        gate.follow(plan)
    }

    /// Does nothing: the socket is closed when the listener stops accepting.
    func resume() {}

    func close() {
        if !isDone { release() }
        if case .route(let route) = target { route.remove(self) }
    }

    private func release() {
        isDone = true
        if socket != nil { bound.file?.remove() }
        socket.take()?.close()
        drainTimer.cancel(on: core.loop)
        core.loop.cancel(&resumeTimer)
        if let token { core.loop.remove(token) }
        token = nil
    }
}

extension AcceptErrorReason {
    init(_ error: SystemError) {
        switch error.code {
        case EMFILE, ENFILE: self = .descriptorLimit
        case ENOMEM, ENOBUFS: self = .memory
        case ECONNABORTED: self = .aborted
        default: self = .other
        }
    }
}
