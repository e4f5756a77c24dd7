import Glibc
import LinuxIO
import NetworkTypes

/// A UDP stream on one worker: its socket and its table of sessions.
final class UDPListener: EventHandler, DrainingStream {
    let core: WorkerCore
    let serving: StreamServing
    /// What new sessions follow.
    private(set) var route: StreamRoute<UDPSettings>
    private(set) var socket: Socket?
    private var token: EventToken?
    var sessions: [SessionKey: UDPSession] = [:]
    /// Those of peers that put a PROXY header in front of each datagram.
    var proxiedSessions: [ProxiedSessionKey: UDPSession] = [:]
    /// Sessions that may be evicted, oldest first.
    private var unassured = SessionList()
    private(set) var isDraining = false
    private var isDone = false
    private var drainTimer = DrainTimer()
    private var kernelDrops = KernelDropCount()
    private var isDropCheckArmed = false

    private enum TimerTag {
        static let drain = 0
        static let drops = 1
    }

    /// How long an assured session may be silent while its stream drains, in nanoseconds.
    static let drainSilence: UInt64 = 5_000_000_000
    /// At most this many sessions make room for one.
    private static let mostEvictions = 8
    /// How long after a burst the kernel is asked what it dropped, in nanoseconds.
    private static let dropCheckDelay: UInt64 = 500_000_000

    init(core: WorkerCore, plan: StreamPlan<UDPSettings>, serving: StreamServing) {
        self.core = core
        self.serving = serving
        route = StreamRoute(plan, worker: core.index)
        token = core.loop.insert(self)
    }

    /// Begins to serve a bound socket.
    func listen(_ bound: consuming Socket) throws(SystemError) {
        guard let token else { return }
        try core.loop.add(bound.number, .readable, token: token)
        socket = consume bound
    }

    /// New sessions follow another plan from now on. Those that are open stay as they began, unless the plan's hooks do
    /// not admit them any more.
    func follow(_ new: StreamRoute<UDPSettings>) {
        route = new
        // While it drains, the last session's end would be its own: those are judged when it is taken up again.
        if !isDraining { reviewSessions() }
    }

    private func reviewSessions() {
        guard let review = route.hooks.review else { return }
        // A copy: those that end leave the table.
        for session in allSessions {
            if case .reject(let reason) = review(session.context) { session.revoke(reason) }
        }
    }

    /// UDP sessions stay on the worker whose socket the kernel chose.
    func take(_ handoff: Handoff) {
        preconditionFailure("datagram sockets are not handed over")
    }

    // MARK: Receiving

    func descriptorReady(_ events: EventSet, tag: Int) {
        // Level-triggered: what a bounded number of batches leaves behind comes again in the next turn.
        for _ in 0..<WorkerCore.batchesPerTurn {
            guard socket != nil else { return }
            switch core.inbox.receive(from: socket!, isConnected: false) {
            case .received(let count):
                forward(count)
                if count < core.inbox.capacity { return }
                checkKernelDropsSoon()
            case .wouldBlock: return
            case .failed:
                // A pending error of the socket, which this took away: an unconnected socket has none of a peer's.
                route.observer?.dropped(nil, direction: .ingress, reason: .error, datagrams: 1, worker: core.index)
                return
            }
        }
    }

    /// Sends a batch on its way: all that one session has in it leaves together, in its order.
    private func forward(_ count: Int) {
        if route.settings.proxyProtocol == .disabled { sort(count) } else { sortWithHeaders(count) }
        for session in core.sessionsInBatch { session.sendBatch() }
        core.sessionsInBatch.removeAll(keepingCapacity: true)
    }

    /// Gives each datagram of a batch to its session.
    private func sort(_ count: Int) {
        var last: UDPSession?
        var lastDenied: SessionKey?
        var deniedCount = 0
        for index in 0..<count {
            guard let key = sessionKey(of: core.inbox.datagram(at: index)) else { continue }
            if last?.key != key {
                if key == lastDenied {
                    deniedCount += 1
                    continue
                }
                last = sessions[key]
                if last == nil, isDenied(key) {
                    deniedCount += 1
                    lastDenied = key
                    continue
                }
                last = last ?? open(key)
            }
            last?.append(index)
        }
        if deniedCount > 0 { drop(.acl, deniedCount) }
    }

    /// Who sent a datagram, and to which of our addresses; nil where it is of no use.
    func sessionKey(of datagram: ReceivedDatagram) -> SessionKey? {
        countKernelDrops(datagram.droppedByKernel)
        guard let peer = datagram.peer else { return nil }
        if datagram.isTruncated {
            drop(.truncated)
            return nil
        }
        return SessionKey(peer: peer, localIP: datagram.localIP ?? serving.address.ip, scope: datagram.localScope)
    }

    /// Datagrams from a client that belong to no session.
    func drop(_ reason: DropReason, _ count: Int = 1) {
        route.observer?.dropped(
            nil, direction: .ingress, reason: reason, datagrams: count, worker: core.index)
    }

    /// What the kernel dropped is told with the next datagram that it did not drop. After a burst there may be none for
    /// a long time: ask once more, a moment later.
    private func checkKernelDropsSoon() {
        guard !isDropCheckArmed, let token else { return }
        isDropCheckArmed = true
        _ = core.loop.schedule(after: Self.dropCheckDelay, token: token.with(tag: TimerTag.drops))
    }

    private func countKernelDrops(_ total: UInt32?) {
        guard let total else { return }
        let new = kernelDrops.note(total)
        if new == 0 { return }
        route.observer?.dropped(
            nil, direction: .ingress, reason: .kernelOverflow, datagrams: new, worker: core.index)
    }

    // MARK: Sessions

    /// Begins a session. `header` is the peer's, where it had to send one.
    func open(_ key: SessionKey, header: ProxyHeader? = nil) -> UDPSession? {
        let route = route
        let context = StreamContext(
            id: core.makeIdentifier(), route: route.name, transport: .udp, clientAddress: key.peer,
            localAddress: SocketAddress(key.localIP, port: serving.address.port, scope: key.scope),
            upstreams: route.configuredUpstreams, worker: core.index)
        if let header { context.adopt(header) }
        route.observer?.opened(context)
        if let (reason, lost) = refusal(context, route) {
            route.observer?.rejected(context, reason: reason)
            drop(lost)
            // An access rule says the same of the next datagram; limits may not.
            if reason == .acl { core.denied.insert(mark(key, header), now: core.loop.now) }
            return nil
        }
        let isKeyedByClient = header != nil && route.settings.expectedHeaders == .each
        let session = UDPSession(
            key: key, isKeyedByClient: isKeyedByClient, context: context, route: route, listener: self)
        if isKeyedByClient { proxiedSessions[session.proxiedKey] = session } else { sessions[key] = session }
        unassured.append(session)
        session.start()
        guard let lost = session.endedDropping else { return session }
        // It could not even begin: the datagram that would have opened it has nowhere to wait.
        drop(lost)
        return nil
    }

    /// Whether a client was denied under the current plan not long ago. Being asked about is being heard.
    func isDenied(_ key: SessionKey, header: ProxyHeader? = nil) -> Bool {
        core.denied.holds(mark(key, header), now: core.loop.now, silence: deniedSilence)
    }

    /// How a client is remembered that was denied under the current plan: another plan judges anew.
    private func mark(_ key: SessionKey, _ header: ProxyHeader?) -> DeniedSources.Mark {
        DeniedSources.Mark(
            key: key, client: header?.addresses?.source, stream: serving.number, generation: route.generation)
    }

    /// Silence after which a denied source is forgotten, in nanoseconds.
    private var deniedSilence: UInt64 { route.settings.unassuredTimeout.clampedNanoseconds }

    private func refusal(
        _ context: StreamContext, _ route: StreamRoute<UDPSettings>
    ) -> (RejectReason, DropReason)? {
        if isDraining { return (.draining, .draining) }
        if let admit = route.hooks.admit, case .reject(let reason) = admit(context) {
            return (reason, DropReason(reason))
        }
        return makeRoom(route) ? nil : (.sessionLimit, .sessionLimit)
    }

    /// Takes a place and a descriptor for a session, where needed from the oldest one that is not assured.
    private func makeRoom(_ route: StreamRoute<UDPSettings>) -> Bool {
        makeRoom { serving.count.enter(limit: route.settings.maxSessions) }
            && (makeRoom { core.budget.takeSession() } || leaveTable())
    }

    /// Evicts until there is a place. Another worker may be quicker to take the one that became free: try again, but
    /// not without end.
    private func makeRoom(_ take: () -> Bool) -> Bool {
        for _ in 0..<Self.mostEvictions {
            if take() { return true }
            guard let oldest = unassured.first else { return false }
            // What it has in this very batch came before the one that it makes room for.
            oldest.sendBatch()
            // That may have assured it.
            if oldest.isListed { oldest.end(.evicted) }
        }
        return take()
    }

    private func leaveTable() -> Bool {
        serving.count.leave()
        return false
    }

    /// A session's client has spoken again after a reply: it no longer makes room for others.
    func assure(_ session: UDPSession) {
        unassured.remove(session)
    }

    /// A session has ended and released everything.
    func forget(_ session: UDPSession) {
        unassured.remove(session)
        if session.isKeyedByClient { proxiedSessions[session.proxiedKey] = nil } else { sessions[session.key] = nil }
        serving.count.leave()
        core.budget.giveSession()
        finishIfDone()
    }

    // MARK: Ending

    private var allSessions: [UDPSession] { Array(sessions.values) + proxiedSessions.values }
    private var hasNoSession: Bool { sessions.isEmpty && proxiedSessions.isEmpty }

    /// Known sessions go on through the same socket; only new ones are refused.
    func stopAccepting() {
        isDraining = true
    }

    func drain(timeout: Duration) {
        guard let token, !isDone else { return }
        for session in allSessions { session.streamDrains() }
        if hasNoSession {
            finishIfDone()
        } else {
            drainTimer.arm(after: timeout, token: token.with(tag: TimerTag.drain), on: core.loop)
        }
    }

    func deferred(tag: Int) {}

    func timerFired(tag: Int, deadline: UInt64) {
        if tag == TimerTag.drops {
            isDropCheckArmed = false
            countKernelDrops(socket?.droppedDatagrams())
        } else {
            // The drain time is over.
            for session in allSessions { session.endDrained() }
        }
    }

    func kill() {
        isDraining = true
        for session in allSessions { session.end(.routeRemoved) }
        finishIfDone()
    }

    /// The socket stays until all workers have finished: one less in its group would lead living sessions' datagrams to
    /// the wrong worker.
    private func finishIfDone() {
        guard isDraining, hasNoSession, !isDone else { return }
        isDone = true
        drainTimer.cancel(on: core.loop)
        serving.workerFinished()
    }

    func resume() {
        isDraining = false
        isDone = false
        drainTimer.cancel(on: core.loop)
        reviewSessions()
    }

    func close() {
        socket.take()?.close()
        if let token { core.loop.remove(token) }
        token = nil
    }
}

extension DropReason {
    /// What becomes of a datagram whose session was rejected.
    init(_ reason: RejectReason) {
        switch reason {
        case .acl: self = .acl
        case .routeLimit, .sessionLimit, .perIPLimit: self = .sessionLimit
        case .rateLimit: self = .rateLimit
        case .noUpstream: self = .noUpstream
        case .draining: self = .draining
        case .hook, .proxyProtocol: self = .error
        }
    }
}
