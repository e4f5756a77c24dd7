import LinuxIO
import NetworkTypes

/// A UDP route's part on one worker: what its sessions have in common, whichever listener they came by. Confined to the
/// worker.
final class UDPRoute: WorkerRoute, EventHandler {
    let core: WorkerCore
    let shared: SharedRoute
    /// The snapshot that new sessions follow.
    private(set) var plan: RouteSnapshot<UDPSettings>
    private var listeners: [UDPListener] = []
    private var sessionCount = 0
    /// Sessions that may be evicted, oldest first.
    private var unassured = SessionList()
    private var isDraining = false
    private var isDone = false
    private var drainTimer = DrainTimer()
    /// Only while it drains.
    private var token: EventToken?

    /// At most this many sessions make room for one.
    private static let maxEvictions = 8

    init(core: WorkerCore, plan: RoutePlan<UDPSettings>, shared: SharedRoute) {
        self.core = core
        self.shared = shared
        self.plan = RouteSnapshot(plan, worker: core.index)
    }

    func makeListener(_ bound: Listener) -> any WorkerListener {
        let listener = UDPListener(core: core, bound: bound, owner: self)
        listeners.append(listener)
        return listener
    }

    func remove(_ listener: any WorkerListener) {
        listeners.removeAll { $0 === listener }
    }

    func upstreams(generation: Int) -> [UpstreamState]? {
        plan.generation == generation ? plan.upstreams : nil
    }

    /// New sessions follow another plan from now on. Those that are open stay as they began, unless the plan's hooks do
    /// not admit them any more.
    func follow(_ new: RoutePlan<UDPSettings>) {
        plan = RouteSnapshot(new, worker: core.index, previous: plan)
        // While it drains, the last session's end would be its own: those are judged when it is taken up again.
        if !isDraining { reviewSessions() }
    }

    private func reviewSessions() {
        guard let review = plan.hooks.review else { return }
        for listener in listeners { listener.review(review) }
    }

    // MARK: Sessions

    /// Takes a place in the table and a descriptor for a session, where needed from the oldest one that is not assured.
    func makeRoom() -> Bool {
        let limit = plan.settings.maxSessions
        guard makeRoom({ shared.count.enter(limit: limit) }) else { return false }
        if makeRoom({ core.budget.acquireSession() }) {
            sessionCount += 1
            return true
        }
        shared.count.leave()
        return false
    }

    /// Evicts until there is a place. Another worker may be quicker to take the one that became free: try again, but
    /// not without end.
    private func makeRoom(_ take: () -> Bool) -> Bool {
        for _ in 0..<Self.maxEvictions {
            if take() { return true }
            guard let oldest = unassured.first else { return false }
            // What it has in this very batch came before the one that it makes room for.
            oldest.sendBatch()
            // That may have assured it.
            if oldest.isListed { oldest.end(.evicted) }
        }
        return take()
    }

    /// A session begins that room was made for.
    func opened(_ session: UDPSession) {
        unassured.append(session)
    }

    /// A session's client has spoken again after a reply: it no longer makes room for others.
    func assure(_ session: UDPSession) {
        unassured.remove(session)
    }

    /// A session has ended and released everything.
    func forget(_ session: UDPSession) {
        unassured.remove(session)
        sessionCount -= 1
        shared.count.leave()
        core.budget.releaseSession()
        finishIfDone()
    }

    // MARK: Ending

    func drain(timeout: Duration) {
        guard !isDone else { return }
        isDraining = true
        for listener in listeners { listener.drainSessions() }
        if sessionCount == 0 {
            finishIfDone()
        } else {
            let token = token ?? core.loop.insert(self)
            self.token = token
            drainTimer.arm(after: timeout, token: token, on: core.loop)
        }
    }

    func timerFired(tag: Int, deadline: UInt64) {
        for listener in listeners { listener.endDrained() }
    }

    func kill() {
        isDraining = true
        for listener in listeners { listener.killSessions() }
        finishIfDone()
    }

    /// The sockets stay until all workers have finished: one less in their group would lead living sessions' datagrams to
    /// the wrong worker.
    private func finishIfDone() {
        guard isDraining, sessionCount == 0, !isDone else { return }
        isDone = true
        drainTimer.cancel(on: core.loop)
        shared.workerFinished()
    }

    func resume() {
        isDraining = false
        isDone = false
        drainTimer.cancel(on: core.loop)
        for listener in listeners { listener.resumeWithRoute() }
        reviewSessions()
    }

    func close() {
        drainTimer.cancel(on: core.loop)
        if let token { core.loop.remove(token) }
        token = nil
    }

    func descriptorReady(_ events: EventSet, tag: Int) {}
    func deferred(tag: Int) {}
}
