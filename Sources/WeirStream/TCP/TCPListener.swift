import Glibc
import LinuxIO
import NetworkTypes

/// A TCP stream on one worker: its listening socket and its connections.
final class TCPListener: EventHandler, DrainingStream {
    let core: WorkerCore
    let serving: StreamServing
    /// What new connections follow.
    var route: StreamRoute<TCPSettings> {
        didSet {
            if route.settings != oldValue.settings { socket?.setListenerOptions(route.settings) }
        }
    }
    private var socket: Socket?
    private var token: EventToken?
    private var connections: ContiguousArray<TCPConnection> = []
    private var acceptedCount = 0
    /// How many connections the next event is likely to bring.
    private var expected = 1
    private var isPaused = false
    /// Whether the worker will say when a connection has ended.
    private var isQueuedForResume = false
    private var resumeTimer = TimerWheel.Identifier.none
    private var isClosing = false
    /// No worker accepts any more, so that none can hand a connection over.
    private var mayFinish = false
    private var isDone = false
    private var drainTimer = DrainTimer()

    private enum TimerTag {
        static let resume = 0
        static let drain = 1
    }

    /// A listener that ran out of something tries again this often, in nanoseconds, besides being called when a
    /// connection of its worker ends.
    private static let retryInterval: UInt64 = 100_000_000

    init(core: WorkerCore, plan: StreamPlan<TCPSettings>, serving: StreamServing) {
        self.core = core
        self.serving = serving
        route = StreamRoute(plan, worker: core.index)
        token = core.loop.insert(self)
    }

    /// Begins to accept on a listening socket.
    func listen(_ bound: consuming Socket) throws(SystemError) {
        guard let token else { return }
        try core.loop.add(bound.number, .readable, token: token)
        socket = consume bound
    }

    // MARK: Accepting

    func descriptorReady(_ events: EventSet, tag: Int) {
        if isPaused { resume() } else { acceptBatch() }
    }

    /// A connection of the worker has ended.
    func deferred(tag: Int) {
        isQueuedForResume = false
        resume()
    }

    /// Accepts about as many as came the last time. Level-triggered: whoever still waits shows in the next turn, and a
    /// call that finds nobody is saved.
    private func acceptBatch() {
        let limit = min(expected, WorkerCore.acceptsPerTurn)
        let before = acceptedCount
        let isMore = accept(atMost: limit)
        expected = isMore ? limit * 2 : max(1, acceptedCount - before)
    }

    /// Accepts until nobody waits, or something runs out. Returns whether somebody may still wait.
    private func accept(atMost limit: Int) -> Bool {
        for _ in 0..<limit {
            guard socket != nil else { return false }
            guard core.budget.takeConnection() else {
                pause()
                return false
            }
            switch socket!.accept() {
            case .accepted(let client, let address):
                acceptedCount += 1
                place(client, address)
            case .wouldBlock:
                core.budget.giveConnection()
                return false
            case .failed(let error):
                core.budget.giveConnection()
                let reason = AcceptErrorReason(error)
                route.observer?.acceptFailed(reason: reason, error: error, worker: core.index)
                // Errors of one connection only (accept(2)) do not keep the next one waiting.
                if reason == .descriptorLimit || reason == .memory {
                    pause()
                    return false
                }
            }
        }
        return true
    }

    private func place(_ client: consuming Socket, _ address: SocketAddress) {
        let worker = isClosing ? core.index : core.leastLoadedWorker(accepting: serving.socketCount)
        if worker == core.index {
            open(client, address)
            return
        }
        let number = client.release()
        let handoff = Handoff(descriptor: number, stream: serving.number)
        if !core.handOver(handoff, to: worker) { open(Socket(adopting: number, family: serving.family), address) }
    }

    func take(_ handoff: Handoff) {
        let client = Socket(adopting: handoff.descriptor, family: serving.family)
        do {
            let address = try client.peerAddress()
            open(client, address)
        } catch {
            // The client is gone before anything began, as in an accept that fails with ECONNABORTED.
            client.close()
            core.budget.giveConnection()
            route.observer?.acceptFailed(reason: .aborted, error: error, worker: core.index)
        }
    }

    private func open(_ client: consuming Socket, _ address: SocketAddress) {
        let route = route
        let duty = route.hooks.headerDuty(of: address.ip, route.settings.proxyProtocol)
        let context = StreamContext(
            id: core.makeIdentifier(), route: route.name, transport: .tcp, clientAddress: address,
            localAddress: serving.address, upstreams: route.configuredUpstreams, worker: core.index,
            awaitsProxyHeader: duty == .header)
        route.observer?.opened(context)
        if let reason = refusal(context, route, duty) {
            client.closeWithReset()
            core.budget.giveConnection()
            route.observer?.rejected(context, reason: reason)
            return
        }
        core.load.connections.add(1, ordering: .relaxed)
        let connection = TCPConnection(client: client, context: context, route: route, listener: self)
        connection.place = connections.count
        connections.append(connection)
        connection.start()
    }

    private func refusal(
        _ context: StreamContext, _ route: StreamRoute<TCPSettings>, _ duty: HeaderDuty
    ) -> RejectReason? {
        switch duty {
        case .none:
            if let admit = route.hooks.admit, case .reject(let reason) = admit(context) { return reason }
        // Decided once it is known who the client is; its place is taken already.
        case .header: break
        case .refused:
            route.observer?.proxyHeaderFailed(context, reason: .untrusted, worker: core.index)
            return .proxyProtocol
        }
        return serving.count.enter(limit: route.settings.maxConnections) ? nil : .routeLimit
    }

    /// A connection has ended and released everything.
    func forget(_ connection: TCPConnection) {
        let last = connections.removeLast()
        if last !== connection {
            last.place = connection.place
            connections[connection.place] = last
        }
        serving.count.leave()
        core.connectionEnded()
        finishIfDone()
    }

    // MARK: Running out of something

    private func pause() {
        // Closing accepts from a paused listener, too: that is out of epoll already.
        guard !isPaused, let token, let number = socket?.number else { return }
        isPaused = true
        route.observer?.acceptPaused(worker: core.index)
        // Level-triggered: a waiting client would otherwise wake the loop without end.
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
        resumeTimer = core.loop.schedule(after: Self.retryInterval, token: token.with(tag: TimerTag.resume))
    }

    private func resume() {
        guard isPaused, let token, let number = socket?.number else { return }
        do {
            try core.loop.add(number, .readable, token: token)
            isPaused = false
        } catch {
            // No memory for the registration (epoll_ctl(2)): the timer comes again.
            scheduleResume(token)
        }
    }

    func timerFired(tag: Int, deadline: UInt64) {
        if tag == TimerTag.drain { endOfDrain() } else { resume() }
    }

    // MARK: Ending

    /// Closing resets what still waits in the socket's queue: accept that first.
    func stopAccepting() {
        isClosing = true
        guard socket != nil else { return }
        var rounds = 0
        while accept(atMost: WorkerCore.acceptsPerTurn), rounds < 1024 { rounds += 1 }
        socket.take()?.close()
    }

    func drain(timeout: Duration) {
        guard let token, !isDone else { return }
        mayFinish = true
        if connections.isEmpty {
            finishIfDone()
        } else {
            drainTimer.arm(after: timeout, token: token.with(tag: TimerTag.drain), on: core.loop)
        }
    }

    private func endOfDrain() {
        for connection in connections { connection.endDrained() }
    }

    func kill() {
        mayFinish = true
        for connection in connections { connection.endKilled() }
        finishIfDone()
    }

    /// Everything was released by the last connection, unless the stream has never served.
    func close() {
        if !isDone { release() }
    }

    private func finishIfDone() {
        guard mayFinish, connections.isEmpty, !isDone else { return }
        release()
        serving.workerFinished()
    }

    private func release() {
        isDone = true
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
