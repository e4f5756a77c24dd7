import LinuxIO
import NetworkTypes

/// A UDP route's part on one worker: the state that its sessions share, over all listeners. Confined to the worker.
final class UDPRoute: WorkerRoute, EventHandler {
    let core: WorkerCore
    let shared: SharedRoute
    private var snapshots: RouteSnapshots<UDPSettings>
    /// The snapshot of new sessions at listeners that do not shift the upstreams' ports.
    var plan: RouteSnapshot<UDPSettings> { snapshots.base }
    private var listeners: [UDPListener] = []
    private var sessionCount = 0
    /// The sessions in the order in which they make room.
    private var evictionOrder = EvictionOrder<UDPSession>()
    private var isDraining = false
    private var isDone = false
    private var drainTimer = DrainTimer()
    /// The token of the drain timer; nil unless the route drains.
    private var token: EventToken?

    /// The most sessions that are evicted for a new one.
    private static let maxEvictions = 8

    init(core: WorkerCore, plan: RoutePlan<UDPSettings>, shared: SharedRoute) {
        self.core = core
        self.shared = shared
        snapshots = RouteSnapshots(plan, worker: core.index, answers: shared.answers)
    }

    func makeListener(_ bound: Listener) -> any WorkerListener {
        let listener = UDPListener(
            core: core, bound: bound, owner: self, route: snapshots.snapshot(ofListener: bound.number))
        listeners.append(listener)
        return listener
    }

    func remove(_ listener: any WorkerListener) {
        listeners.removeAll { $0 === listener }
    }

    func upstreams(generation: Int) -> [[UpstreamState]] { snapshots.upstreams(generation: generation) }

    /// Applies another plan to new sessions. Open sessions keep their plan, unless the hook of the new one ends them.
    func follow(_ new: RoutePlan<UDPSettings>) {
        snapshots.follow(new)
        for listener in listeners { listener.follow(snapshots.snapshot(ofListener: listener.bound.number)) }
        // A draining route ends with its last session: review them when the route serves again.
        if !isDraining { reviewSessions() }
    }

    private func reviewSessions() {
        guard let review = plan.hooks.review else { return }
        for listener in listeners { listener.review(review) }
    }

    // MARK: Sessions

    /// Counts a session of a client network and takes its descriptor from the budget. In a full table it evicts
    /// sessions of the route, at a limit of the process those of any route. Returns false where that does not help.
    func acquireSession(for network: ClientNetwork?) -> Bool {
        let limit = plan.settings.maxSessions
        guard evict({ evictionOrder.victim(for: network) }, until: { shared.count.enter(limit: limit) }) else {
            return false
        }
        if evict({ core.evictionOrder.victim(for: network) }, until: { core.budget.acquireSession() }) {
            sessionCount += 1
            return true
        }
        shared.count.leave()
        return false
    }

    /// Evicts sessions until `take` succeeds. Another worker may take what an eviction frees: try again, a bounded
    /// number of times.
    private func evict(_ victim: () -> UDPSession?, until take: () -> Bool) -> Bool {
        for _ in 0..<Self.maxEvictions {
            if take() { return true }
            guard let session = victim() else { return false }
            session.evict()
        }
        return take()
    }

    /// Adds a session that was counted by ``acquireSession(for:)``.
    func opened(_ session: UDPSession) {
        session.slots.inRoute = evictionOrder.insert(session, of: session.network)
        session.slots.inWorker = core.evictionOrder.insert(session, of: session.network)
    }

    /// Marks a session whose client has answered a reply.
    func assure(_ session: UDPSession) {
        evictionOrder.assure(session.slots.inRoute)
        core.evictionOrder.assure(session.slots.inWorker)
    }

    /// Removes a session that has ended and released its resources.
    func forget(_ session: UDPSession) {
        evictionOrder.remove(&session.slots.inRoute)
        core.evictionOrder.remove(&session.slots.inWorker)
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

    func leave(_ gone: [GoneHost]) {
        for listener in listeners { listener.leave(gone) }
    }

    /// Reports the end of the last session of a draining route. The sockets stay open until all workers have finished:
    /// with one socket less in a group, the kernel would deliver datagrams of open sessions to the wrong worker.
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
