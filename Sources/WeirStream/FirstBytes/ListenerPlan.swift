import NetworkTypes

/// The configuration of a shared listener, as it is sent to the workers. An object, because each client refers to it.
final class ListenerPlan: Sendable {
    /// Chooses among `routes`; nil where there is only one.
    let matcher: (any FirstBytesMatcher)?
    /// The engine's numbers of the routes.
    let routes: [UInt32]
    /// The port shift of each route's clients, in the same order.
    let portShifts: [UInt16]
    let settings: ListenerSettings
    let hooks: ListenerHooks
    let maxUndecided: Int

    init(_ target: ListenerTarget, settings: ListenerSettings, hooks: ListenerHooks, engine: StreamEngine) {
        if case .table(let table) = target { matcher = table.matcher } else { matcher = nil }
        routes = target.routes.map(\.number)
        portShifts = target.portShifts
        self.settings = settings
        self.hooks = hooks
        maxUndecided = settings.maxUndecided ?? max(1, engine.connectionLimit / 4)
    }

    /// Returns what a peer must send before its first bytes.
    func headerRequirement(of peer: SocketAddress) -> HeaderRequirement {
        settings.proxyProtocol.headerRequirement(of: peer, hooks.isTrustedProxy)
    }
}

/// The state that the workers of one shared listener share.
final class SharedGate: Sendable {
    /// The undecided clients over all workers.
    let undecided: RouteCount
    private let onListenerFinished: @Sendable (Listener) -> Void

    init(undecided: RouteCount, onListenerFinished: @escaping @Sendable (Listener) -> Void) {
        self.undecided = undecided
        self.onListenerFinished = onListenerFinished
    }

    /// A worker has no client of the listener any more.
    func workerFinished(_ listener: Listener) {
        if listener.workerFinished() { onListenerFinished(listener) }
    }
}
