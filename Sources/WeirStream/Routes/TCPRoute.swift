import LinuxIO
import NetworkTypes

/// A TCP route's part on one worker: its connections, whichever listener they came by. Confined to the worker.
final class TCPRoute: WorkerRoute, EventHandler {
    let core: WorkerCore
    let shared: SharedRoute
    /// The snapshot that new connections follow.
    private(set) var plan: RouteSnapshot<TCPSettings>
    private var listeners: [TCPListener] = []
    private var connections: ContiguousArray<TCPConnection> = []
    /// Nothing new begins on any worker, so that this one may end when its last connection does.
    private(set) var isDraining = false
    private var isDone = false
    private var drainTimer = DrainTimer()
    /// Only while it drains.
    private var token: EventToken?

    init(core: WorkerCore, plan: RoutePlan<TCPSettings>, shared: SharedRoute) {
        self.core = core
        self.shared = shared
        self.plan = RouteSnapshot(plan, worker: core.index)
    }

    func makeListener(_ bound: Listener) -> any WorkerListener {
        let listener = TCPListener(core: core, bound: bound, route: self)
        listeners.append(listener)
        return listener
    }

    func remove(_ listener: any WorkerListener) {
        listeners.removeAll { $0 === listener }
    }

    func upstreams(generation: Int) -> [UpstreamState]? {
        plan.generation == generation ? plan.upstreams : nil
    }

    /// New connections follow another plan from now on.
    func follow(_ new: RoutePlan<TCPSettings>) {
        let before = ListenerSettings(plan.settings)
        plan = RouteSnapshot(new, worker: core.index, previous: plan)
        let settings = ListenerSettings(plan.settings)
        if settings != before {
            for listener in listeners { listener.apply(settings) }
        }
    }

    // MARK: Connections

    /// Begins a connection that came by a listener of this route alone. Its place in the process's budget is taken already.
    func open(_ client: consuming Socket, _ address: SocketAddress, by listener: TCPListener) {
        let duty = plan.hooks.headerDuty(of: address.ip, plan.settings.proxyProtocol)
        begin(client, address, duty, header: nil, by: listener)
    }

    /// Begins a connection of a shared listener, which has taken the PROXY header and chosen this route.
    func openDecided(
        _ client: consuming Socket, _ address: SocketAddress, header: ProxyHeader?, by listener: TCPListener
    ) {
        begin(client, address, .none, header: header, by: listener)
    }

    private func begin(
        _ client: consuming Socket, _ address: SocketAddress, _ duty: HeaderDuty, header: ProxyHeader?,
        by listener: TCPListener
    ) {
        let plan = plan
        let context = StreamContext(
            id: core.makeIdentifier(), route: plan.identity, transport: .tcp, clientAddress: address,
            localAddress: listener.bound.address, worker: core.index, awaitsProxyHeader: duty == .header)
        if let header { context.adopt(header) }
        plan.observer?.opened(context)
        if let reason = refusal(context, plan, duty) {
            client.closeWithReset()
            core.budget.releaseConnection()
            plan.observer?.rejected(context, reason: reason)
            return
        }
        core.load.connections.add(1, ordering: .relaxed)
        listener.clientOpened()
        let connection = TCPConnection(client: client, context: context, route: plan, owner: self, listener: listener)
        connection.place = connections.count
        connections.append(connection)
        connection.start()
    }

    private func refusal(
        _ context: StreamContext, _ plan: RouteSnapshot<TCPSettings>, _ duty: HeaderDuty
    ) -> RejectReason? {
        switch duty {
        case .none:
            if let admit = plan.hooks.admit, case .reject(let reason) = admit(context) { return reason }
        // Decided once it is known who the client is; its place is taken already.
        case .header: break
        case .refused:
            plan.observer?.proxyHeaderFailed(context, reason: .untrusted, worker: core.index)
            return .proxyProtocol
        }
        return shared.count.enter(limit: plan.settings.maxConnections) ? nil : .routeLimit
    }

    /// A connection has ended and released everything.
    func forget(_ connection: TCPConnection) {
        let last = connections.removeLast()
        if last !== connection {
            last.place = connection.place
            connections[connection.place] = last
        }
        shared.count.leave()
        core.connectionEnded()
        connection.listener.clientEnded()
        finishIfDone()
    }

    // MARK: Ending

    func drain(timeout: Duration) {
        guard !isDone else { return }
        isDraining = true
        if connections.isEmpty {
            finishIfDone()
        } else {
            let token = token ?? core.loop.insert(self)
            self.token = token
            drainTimer.arm(after: timeout, token: token, on: core.loop)
        }
    }

    func timerFired(tag: Int, deadline: UInt64) {
        for connection in connections { connection.endDrained() }
    }

    func kill() {
        isDraining = true
        for connection in connections { connection.endKilled() }
        finishIfDone()
    }

    /// The drain time of one listener is over.
    func endDrained(by listener: TCPListener) {
        for connection in connections where connection.listener === listener { connection.endDrained() }
    }

    /// One listener was killed.
    func endKilled(by listener: TCPListener) {
        for connection in connections where connection.listener === listener { connection.endKilled() }
    }

    private func finishIfDone() {
        guard isDraining, connections.isEmpty, !isDone else { return }
        isDone = true
        close()
        shared.workerFinished()
    }

    /// TCP closes its sockets when it stops accepting: there is nothing to take up again.
    func resume() {}

    func close() {
        drainTimer.cancel(on: core.loop)
        if let token { core.loop.remove(token) }
        token = nil
    }

    func descriptorReady(_ events: EventSet, tag: Int) {}
    func deferred(tag: Int) {}
}
