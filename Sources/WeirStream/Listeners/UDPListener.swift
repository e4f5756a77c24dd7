import Glibc
import LinuxIO
import NetworkTypes

/// A UDP listener's part on one worker: its socket, and the table of the sessions that came by it. Confined to the worker.
final class UDPListener: EventHandler, WorkerListener {
    let core: WorkerCore
    let bound: Listener
    /// The route of all its sessions.
    let owner: UDPRoute
    private(set) var socket: Socket?
    private var token: EventToken?
    var sessions: [SessionKey: UDPSession] = [:]
    /// Those of peers that put a PROXY header in front of each datagram.
    var proxiedSessions: [ProxiedSessionKey: UDPSession] = [:]
    /// Whether new sessions are refused, because the listener or its route goes.
    private(set) var isDraining = false
    /// Whether the listener goes while its route stays.
    private var isRemoved = false
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
    /// How long after a burst the kernel is asked what it dropped, in nanoseconds.
    private static let dropCheckDelay: UInt64 = 500_000_000

    init(core: WorkerCore, bound: Listener, owner: UDPRoute) {
        self.core = core
        self.bound = bound
        self.owner = owner
        token = core.loop.insert(self)
    }

    /// What new sessions follow.
    var route: RouteSnapshot<UDPSettings> { owner.plan }

    func listen(_ new: consuming Socket) throws(SystemError) {
        guard let token else { return }
        try core.loop.add(new.number, .readable, token: token)
        socket = consume new
    }

    /// Ends the sessions that a new plan's hooks do not admit any more.
    func review(_ review: StreamHooks.Review) {
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
        if route.settings.proxyProtocol.mode == .disabled { sort(count) } else { sortWithHeaders(count) }
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
        return SessionKey(peer: peer, localIP: datagram.localIP ?? bound.address.ip, scope: datagram.localScope)
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
        _ = core.loop.schedule(afterNanoseconds: Self.dropCheckDelay, token: token.with(tag: TimerTag.drops))
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
            id: core.makeIdentifier(), route: route.identity, transport: .udp, clientAddress: key.peer,
            localAddress: SocketAddress(key.localIP, port: bound.address.port, scope: key.scope), worker: core.index)
        if let header { context.adopt(header) }
        route.observer?.opened(context)
        if let (reason, lost) = refusal(context, route) {
            route.observer?.rejected(context, reason: reason)
            drop(lost)
            // An access rule says the same of the next datagram; limits may not.
            if reason == .acl { core.denied.insert(mark(key, header), now: core.loop.now) }
            return nil
        }
        let isKeyedByClient = header != nil && route.settings.proxyProtocol.datagrams == .each
        let session = UDPSession(
            key: key, isKeyedByClient: isKeyedByClient, context: context, route: route, listener: self)
        if isKeyedByClient { proxiedSessions[session.proxiedKey] = session } else { sessions[key] = session }
        owner.opened(session)
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
            key: key, client: header?.addresses?.source, listener: bound.number, generation: route.generation)
    }

    /// Silence after which a denied source is forgotten, in nanoseconds.
    private var deniedSilence: UInt64 { route.settings.unassuredTimeout.clampedNanoseconds }

    private func refusal(
        _ context: StreamContext, _ route: RouteSnapshot<UDPSettings>
    ) -> (RejectReason, DropReason)? {
        if isDraining { return (.draining, .draining) }
        if let admit = route.hooks.admit, case .reject(let reason) = admit(context) {
            return (reason, DropReason(reason))
        }
        return owner.makeRoom() ? nil : (.sessionLimit, .sessionLimit)
    }

    /// A session has ended and released everything.
    func forget(_ session: UDPSession) {
        if session.isKeyedByClient { proxiedSessions[session.proxiedKey] = nil } else { sessions[session.key] = nil }
        owner.forget(session)
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
        guard let token else { return }
        isRemoved = true
        // Where it was to be taken up again and then was not, it says once more that it is done.
        isDone = false
        drainSessions()
        if hasNoSession {
            finishIfDone()
        } else {
            drainTimer.arm(after: timeout, token: token.with(tag: TimerTag.drain), on: core.loop)
        }
    }

    /// Sessions end when they are silent.
    func drainSessions() {
        for session in allSessions { session.streamDrains() }
    }

    /// The drain time is over.
    func endDrained() {
        for session in allSessions { session.endDrained() }
    }

    func killSessions() {
        isDraining = true
        for session in allSessions { session.end(.routeRemoved) }
    }

    func deferred(tag: Int) {}

    func timerFired(tag: Int, deadline: UInt64) {
        if tag == TimerTag.drops {
            isDropCheckArmed = false
            countKernelDrops(socket?.droppedDatagrams())
        } else {
            endDrained()
        }
    }

    /// The socket stays until all workers have finished: one less in its group would lead living sessions' datagrams to
    /// the wrong worker.
    private func finishIfDone() {
        guard isRemoved, hasNoSession, !isDone else { return }
        isDone = true
        drainTimer.cancel(on: core.loop)
        owner.shared.workerFinished(bound)
    }

    func resume() {
        isDraining = false
        isRemoved = false
        isDone = false
        drainTimer.cancel(on: core.loop)
        if let review = route.hooks.review { self.review(review) }
    }

    /// The route serves again: so does this, unless it was removed by itself.
    func resumeWithRoute() {
        if !isRemoved { isDraining = false }
    }

    func close() {
        socket.take()?.close()
        drainTimer.cancel(on: core.loop)
        if let token { core.loop.remove(token) }
        token = nil
        owner.remove(self)
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
        case .hook, .proxyProtocol, .tls: self = .error
        }
    }
}
