import LinuxIO
import NetworkTypes

/// A TCP route's part on one worker: its connections, over all listeners. Confined to the worker.
final class TCPRoute: WorkerRoute, EventHandler {
    let core: WorkerCore
    let shared: SharedRoute
    private var snapshots: RouteSnapshots<TCPSettings>
    /// The snapshot of new connections at listeners that do not shift the upstreams' ports.
    var plan: RouteSnapshot<TCPSettings> { snapshots.base }
    private var listeners: [TCPListener] = []
    private var connections: ContiguousArray<TCPConnection> = []
    /// Whether no worker accepts any more, so that this part ends with its last connection.
    private(set) var isDraining = false
    private var isDone = false
    private var drainTimer = DrainTimer()
    /// The token of the drain timer; nil unless the route drains.
    private var token: EventToken?

    init(core: WorkerCore, plan: RoutePlan<TCPSettings>, shared: SharedRoute) {
        self.core = core
        self.shared = shared
        snapshots = RouteSnapshots(plan, worker: core.index)
    }

    func makeListener(_ bound: Listener) -> any WorkerListener {
        let listener = TCPListener(core: core, bound: bound, route: self)
        listeners.append(listener)
        return listener
    }

    func remove(_ listener: any WorkerListener) {
        listeners.removeAll { $0 === listener }
    }

    func upstreams(generation: Int) -> [[UpstreamState]] { snapshots.upstreams(generation: generation) }

    /// Applies another plan to new connections.
    func follow(_ new: RoutePlan<TCPSettings>) {
        let before = ListenerSettings(ofOwnListeners: plan.settings)
        snapshots.follow(new)
        let settings = ListenerSettings(ofOwnListeners: plan.settings)
        if settings != before {
            for listener in listeners { listener.apply(settings, previous: before) }
        }
    }

    // MARK: Connections

    /// Begins a connection of the route's own listener. The caller has already taken its descriptors from the budget.
    func open(_ client: consuming Socket, _ address: SocketAddress, by listener: TCPListener) {
        let plan = snapshots.snapshot(ofListener: listener.bound.number)
        let requirement = plan.hooks.headerRequirement(of: address, plan.settings.proxyProtocol)
        begin(
            AcceptedClient(RelayEndpoint(accepted: client), address), plan, requirement, nil, by: listener)
    }

    /// Begins a connection of a shared listener, which has read the PROXY header and chosen this route. The route takes
    /// over the client's socket, registration and reservation.
    func openDecided(
        _ client: consuming AcceptedClient, portShift: UInt16, _ choice: RouteChoice, by listener: TCPListener
    ) {
        let plan = snapshots.snapshot(shiftedBy: portShift)
        if let dscp = plan.settings.dscp { client.endpoint.withSocket { if $0.family != .unix { $0.mark(dscp) } } }
        begin(client, plan, .none, choice, by: listener)
    }

    private func begin(
        _ client: consuming AcceptedClient, _ plan: RouteSnapshot<TCPSettings>, _ requirement: HeaderRequirement,
        _ choice: RouteChoice?, by listener: TCPListener
    ) {
        let registration = client.registration
        let context = StreamContext(
            id: core.makeIdentifier(), route: plan.identity, transport: .tcp, clientAddress: client.address,
            localAddress: listener.bound.address, worker: core.index, awaitsProxyHeader: requirement == .header)
        if let header = client.header { context.adopt(header) }
        if let name = choice?.serverName { context.adopt(serverName: name) }
        if let reservation = client.reservation { context.reserve(reservation) }
        plan.observer?.opened(context)
        if let reason = refusal(context, plan, requirement) {
            client.endpoint.close(withReset: true)
            if let registration { core.loop.remove(registration) }
            core.budget.releaseConnection()
            plan.observer?.rejected(context, reason: reason)
            return
        }
        core.load.connections.add(1, ordering: .relaxed)
        listener.clientOpened()
        let connection = TCPConnection(
            client: client.endpoint, context: context, route: plan, owner: self, listener: listener)
        connection.indexInRoute = connections.count
        connections.append(connection)
        connection.start(registration: registration, choice)
    }

    private func refusal(
        _ context: StreamContext, _ plan: RouteSnapshot<TCPSettings>, _ requirement: HeaderRequirement
    ) -> RejectReason? {
        switch requirement {
        case .none:
            if let admit = plan.hooks.admit, case .reject(let reason) = admit(context) { return reason }
        // The hook decides once the header has named the client. The connection already counts towards the limit.
        case .header: break
        case .refused:
            plan.observer?.proxyHeaderFailed(
                context, reason: .untrusted, excerpt: ProxyHeaderExcerpt(), worker: core.index)
            return .proxyProtocol
        }
        return shared.count.enter(limit: plan.settings.maxConnections) ? nil : .routeLimit
    }

    /// Removes a connection that has ended and released its resources.
    func forget(_ connection: TCPConnection) {
        let last = connections.removeLast()
        if last !== connection {
            last.indexInRoute = connection.indexInRoute
            connections[connection.indexInRoute] = last
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

    /// Ends the connections to an upstream that is out.
    func endConnections(to upstream: Upstream) {
        for connection in connections { connection.endUpstreamDown { $0 == upstream } }
    }

    func leave(_ gone: [GoneHost]) {
        for connection in connections {
            for host in gone { connection.leave(host) }
        }
    }

    /// Ends the connections of one listener as drained.
    func endDrained(by listener: TCPListener) {
        for connection in connections where connection.listener === listener { connection.endDrained() }
    }

    /// Ends the connections of one listener as killed.
    func endKilled(by listener: TCPListener) {
        for connection in connections where connection.listener === listener { connection.endKilled() }
    }

    private func finishIfDone() {
        guard isDraining, connections.isEmpty, !isDone else { return }
        isDone = true
        close()
        shared.workerFinished()
    }

    /// Does nothing: TCP closes its listening sockets when it stops accepting.
    func resume() {}

    func close() {
        drainTimer.cancel(on: core.loop)
        if let token { core.loop.remove(token) }
        token = nil
    }

    func descriptorReady(_ events: EventSet, tag: Int) {}
    func deferred(tag: Int) {}
}
