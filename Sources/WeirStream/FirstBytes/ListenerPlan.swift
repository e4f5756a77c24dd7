import NetworkTypes

/// The configuration of a shared listener on its way to the workers.
struct ListenerPlan: Sendable {
    /// Chooses among `routes`; nil where there is only one, and no look.
    let matcher: (any FirstBytesMatcher)?
    /// The numbers of the routes in their engine.
    let routes: [UInt32]
    let settings: ListenerSettings
    let hooks: ListenerHooks
    let maxUndecided: Int

    init(_ target: ListenerTarget, settings: ListenerSettings, hooks: ListenerHooks, engine: StreamEngine) {
        if case .table(let table) = target { matcher = table.matcher } else { matcher = nil }
        routes = target.routes.map(\.number)
        self.settings = settings
        self.hooks = hooks
        maxUndecided = settings.maxUndecided ?? max(1, engine.connectionLimit / 4)
    }

    /// The header that a peer owes before its first bytes.
    func headerDuty(of peer: IPAddress) -> HeaderDuty {
        settings.proxyProtocol.duty(of: peer, hooks.isTrustedProxy)
    }
}

/// What the workers of one shared listener have in common.
final class SharedGate: Sendable {
    /// Clients that have not chosen yet, over all workers.
    let undecided: RouteCount
    private let onListenerFinished: @Sendable (Listener) -> Void

    init(undecided: RouteCount, onListenerFinished: @escaping @Sendable (Listener) -> Void) {
        self.undecided = undecided
        self.onListenerFinished = onListenerFinished
    }

    /// A worker carries nothing any more that came by the listener.
    func workerFinished(_ listener: Listener) {
        if listener.workerFinished() { onListenerFinished(listener) }
    }
}
