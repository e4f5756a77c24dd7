import LinuxIO
import NetworkTypes

/// The route that was chosen for a client.
struct RouteChoice {
    /// The index in the listener's plan.
    let index: Int
    /// The way in which first bytes chose it; nil where none were inspected.
    var result: FirstBytesResult?
    var preface: UpstreamPreface?
    /// The server name in the client's hello; see ``FirstBytesMatcher``.
    var serverName: [UInt8]?
}

/// A shared listener's part on one worker: the accepted clients that no route has taken over yet. Confined to the
/// worker.
final class ListenerGate {
    let core: WorkerCore
    let shared: SharedGate
    /// The plan of new clients. An undecided client keeps the plan under which it was accepted.
    private(set) var plan: ListenerPlan
    // Proof: exclusivity is not checked at run time, because one thread owns the gate, and no call during an access
    // reaches the clients again.
    @safe @exclusivity(unchecked) private var undecided = UndecidedClients()

    init(core: WorkerCore, plan: ListenerPlan, shared: SharedGate) {
        self.core = core
        self.plan = plan
        self.shared = shared
    }

    var isEmpty: Bool { undecided.isEmpty }

    func follow(_ new: ListenerPlan) { plan = new }

    // MARK: Clients

    /// Takes an accepted client, whose descriptors the caller has already taken from the process's budget.
    func take(_ socket: consuming Socket, _ address: SocketAddress, by listener: TCPListener) {
        let plan = plan
        plan.hooks.observer?.accepted(worker: core.index)
        let requirement = plan.headerRequirement(of: address)
        if requirement == .refused {
            plan.hooks.observer?.proxyHeaderFailed(
                reason: .untrusted, excerpt: ProxyHeaderExcerpt(), worker: core.index)
            refuse(AcceptedClient(RelayEndpoint(accepted: socket), address), .proxyProtocol, plan)
            return
        }
        var client = AcceptedClient(RelayEndpoint(accepted: socket), address)
        if requirement == .none {
            if let reason = admit(&client, plan) {
                refuse(client, reason, plan)
                return
            }
            // One route and no header: nothing to inspect.
            if plan.matcher == nil {
                decide(client, RouteChoice(index: 0), by: listener, plan)
                return
            }
        }
        guard makeRoom(plan) else {
            refuse(client, .overflow, plan)
            return
        }
        core.load.connections.add(1, ordering: .relaxed)
        listener.clientOpened()
        let undecidedClient = UndecidedClient(
            client, awaitsHeader: requirement == .header, plan: plan, gate: self, listener: listener)
        undecided.insert(undecidedClient, at: address.ip)
        undecidedClient.start()
    }

    /// Asks the plan's hooks for a client whose address is known, and keeps what they have taken for it. Returns why
    /// they refuse it; nil where they do not.
    func admit(_ client: inout AcceptedClient, _ plan: ListenerPlan) -> ListenerFailure? {
        if let admit = plan.hooks.admit, case .reject(let reason) = admit(client.clientAddress) {
            return ListenerFailure(reason)
        }
        guard let reserve = plan.hooks.reserve else { return nil }
        switch reserve(client.clientAddress) {
        case .taken(let reservation): client.reservation = reservation
        case .refused(let reason): return ListenerFailure(reason)
        }
        return nil
    }

    private func refuse(_ client: consuming AcceptedClient, _ reason: ListenerFailure, _ plan: ListenerPlan) {
        if let token = client.registration { core.loop.remove(token) }
        client.endpoint.close(withReset: true)
        core.budget.releaseConnection()
        plan.hooks.observer?.failed(reason, client: client.clientAddress, serverName: nil, worker: core.index)
    }

    /// Counts one more undecided client. At the limit, it replaces the oldest client of the network with most of them,
    /// which chooses a route now or is reset; false where this worker has none.
    private func makeRoom(_ plan: ListenerPlan) -> Bool {
        if shared.undecided.enter(limit: plan.maxUndecided) { return true }
        guard let oldest = undecided.oldestOfLargest as? UndecidedClient else { return false }
        oldest.giveWay()
        return true
    }

    /// Hands a client to a route, which takes over its socket, the token under which this is registered, and its share
    /// of the budget.
    func decide(
        _ client: consuming AcceptedClient, _ choice: RouteChoice, by listener: TCPListener, _ plan: ListenerPlan
    ) {
        let index = choice.index
        guard plan.routes.indices.contains(index), let route = core.routes[plan.routes[index]] as? TCPRoute,
            !route.isDraining
        else {
            refuse(client, plan.routes.indices.contains(index) ? .drained : .error, plan)
            return
        }
        plan.hooks.observer?.decided(route: index, by: choice.result, worker: core.index)
        route.openDecided(client, portShift: plan.portShifts[index], choice, by: listener)
    }

    /// Removes a client from the undecided ones. The client still owns its socket. One that is replaced keeps its slot,
    /// which no other worker can take meanwhile.
    func forget(_ client: UndecidedClient, isReplaced: Bool) {
        undecided.remove(client)
        if !isReplaced { shared.undecided.leave() }
        core.load.connections.subtract(1, ordering: .relaxed)
    }

    // MARK: Ending

    /// Resets all undecided clients.
    func failAll(_ reason: ListenerFailure) {
        for client in undecided.all { (client as? UndecidedClient)?.fail(reason) }
    }
}
