import Glibc
import LinuxIO
import NetworkTypes

/// A UDP listener's part on one worker: its socket, and the table of its sessions. Confined to the worker.
final class UDPListener: EventHandler, WorkerListener {
    let core: WorkerCore
    let bound: Listener
    /// The route of all sessions.
    let owner: UDPRoute
    /// The snapshot of new sessions.
    private(set) var route: RouteSnapshot<UDPSettings>
    private(set) var socket: Socket?
    private var token: EventToken?
    var sessions: [SessionKey: UDPSession] = [:]
    /// The sessions of peers that send a PROXY header with each datagram.
    var proxiedSessions: [ProxiedSessionKey: UDPSession] = [:]
    /// Whether new sessions are refused, because the listener or its route ends.
    private(set) var isDraining = false
    /// Whether the listener was removed while its route stays.
    private var isRemoved = false
    private var isDone = false
    private var drainTimer = DrainTimer()
    private var kernelDrops = KernelDropCount()
    private var isDropCheckArmed = false
    /// The mark that the socket has.
    private var dscp: DSCP?

    private enum TimerTag {
        static let drain = 0
        static let drops = 1
    }

    /// The idle timeout of a session while its stream drains: an assured one, or one that waits for an answer.
    static let drainIdleNanoseconds: UInt64 = 5_000_000_000
    /// The delay between a burst and the query of the kernel's drop count.
    private static let dropCheckDelayNanoseconds: UInt64 = 500_000_000

    init(core: WorkerCore, bound: Listener, owner: UDPRoute, route: RouteSnapshot<UDPSettings>) {
        self.core = core
        self.bound = bound
        self.owner = owner
        self.route = route
        token = core.loop.insert(self)
    }

    func listen(_ new: consuming Socket) throws(SystemError) {
        guard let token else { return }
        try core.loop.add(new.number, .readable, token: token)
        socket = consume new
        setOptions()
    }

    /// Applies another snapshot to new sessions.
    func follow(_ new: RouteSnapshot<UDPSettings>) {
        route = new
        setOptions()
    }

    /// Sets the socket's options by the plan of new sessions: all replies leave through it.
    private func setOptions() {
        _ = socket?.setFragmentation(isAllowed: !route.settings.dontFragment)
        if route.settings.dscp != dscp {
            dscp = route.settings.dscp
            socket?.mark(dscp)
        }
    }

    /// Ends the sessions that a new plan's hook does not admit.
    func review(_ review: StreamHooks.Review) {
        // `allSessions` is a copy: a session that ends leaves the table.
        for session in allSessions {
            if case .reject(let reason) = review(session.context) { session.revoke(reason) }
        }
    }

    /// Never called: a UDP session stays on the worker whose socket the kernel chose.
    func take(_ handoff: Handoff) {
        preconditionFailure("datagram sockets are not handed over")
    }

    // MARK: Receiving

    func descriptorReady(_ events: EventSet, tag: Int) {
        core.moderation.datagramsArrived()
        // Level-triggered: datagrams beyond the bounded number of batches are reported again in the next turn.
        for _ in 0..<WorkerCore.batchesPerTurn {
            guard socket != nil else { return }
            switch core.inbox.receive(from: socket!, isConnected: false) {
            case .received(let count):
                core.moderation.received(count, .ingress)
                forward(count)
                if count < core.inbox.capacity { return }
                checkKernelDropsSoon()
            case .wouldBlock: return
            case .failed:
                // The call returned and cleared a pending error of the socket. An unconnected socket reports no peer's.
                route.observer?.dropped(nil, direction: .ingress, reason: .error, datagrams: 1, worker: core.index)
                return
            }
        }
    }

    /// Forwards a batch: the datagrams of one session are sent together, in their order.
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
                last = unsafe last ?? open(key, mark: ChainMark(core.inbox.datagram(at: index).bytes))
            }
            last?.append(index)
        }
        if deniedCount > 0 { drop(.acl, deniedCount) }
    }

    /// Returns the peer and the local address of a datagram; nil where it cannot be forwarded.
    func sessionKey(of datagram: ReceivedDatagram) -> SessionKey? {
        countKernelDrops(datagram.droppedByKernel)
        guard let peer = datagram.peer else { return nil }
        if datagram.isBroadcast, !takesBroadcasts(of: peer) { return nil }
        if datagram.isTruncated {
            drop(.truncated)
            return nil
        }
        return SessionKey(peer: peer, localIP: datagram.localIP ?? bound.address.ip, scope: datagram.localScope)
    }

    /// Whether this worker forwards the broadcast datagrams of a peer. The kernel gives each to every socket of the
    /// listener.
    private func takesBroadcasts(of peer: SocketAddress) -> Bool {
        bound.socketCount == 1 || Int(peer.port) % bound.socketCount == core.index
    }

    /// Reports dropped datagrams from a client that belong to no session.
    func drop(_ reason: DropReason, _ count: Int = 1) {
        route.observer?.dropped(
            nil, direction: .ingress, reason: reason, datagrams: count, worker: core.index)
    }

    /// Schedules a query of the kernel's drop count. The kernel reports drops with the next datagram that it queues,
    /// which may arrive much later than the burst.
    private func checkKernelDropsSoon() {
        guard !isDropCheckArmed, let token else { return }
        isDropCheckArmed = true
        _ = core.loop.schedule(afterNanoseconds: Self.dropCheckDelayNanoseconds, token: token.with(tag: TimerTag.drops))
    }

    private func countKernelDrops(_ total: UInt32?) {
        guard let total else { return }
        let new = kernelDrops.note(total)
        if new == 0 { return }
        route.observer?.dropped(
            nil, direction: .ingress, reason: .kernelOverflow, datagrams: new, worker: core.index)
    }

    // MARK: Sessions

    /// Begins a session. `header` is the peer's PROXY header, where one is required; `mark` is that of the datagram
    /// behind it, which opens the session. Nil where the session is refused.
    func open(_ key: SessionKey, header: ProxyHeader? = nil, mark: ChainMark) -> UDPSession? {
        let route = route
        let context = StreamContext(
            id: core.makeIdentifier(), route: route.identity, transport: .udp, clientAddress: key.peer,
            localAddress: SocketAddress(key.localIP, port: bound.address.port, scope: key.scope), worker: core.index)
        if let header { context.adopt(header) }
        route.observer?.opened(context)
        // A trusted proxy that names no client stands for many: it is no network of its own.
        let hasNetwork = header == nil || context.isNamedByHeader
        let network = hasNetwork ? ClientNetwork(context.clientAddress.ip) : nil
        if let (reason, lost) = refusal(context, at: key.localIP, of: network, route) {
            route.observer?.rejected(context, reason: reason)
            drop(lost)
            // An access rule denies the next datagram, too; a limit may not.
            if reason == .acl { core.denied.insert(deniedMark(key, header), now: core.loop.now) }
            return nil
        }
        let isKeyedByClient = header != nil && route.settings.proxyProtocol.datagrams == .each
        let session = UDPSession(
            key: key, isKeyedByClient: isKeyedByClient, context: context, route: route, listener: self,
            network: network, mark: mark)
        if isKeyedByClient { proxiedSessions[session.proxiedKey] = session } else { sessions[key] = session }
        owner.opened(session)
        session.start()
        guard let lost = session.endedDropping else { return session }
        // The session ended at once: the datagram that opened it is dropped.
        drop(lost)
        return nil
    }

    /// Whether a client was recently denied under the current plan. A lookup also refreshes the entry.
    func isDenied(_ key: SessionKey, header: ProxyHeader? = nil) -> Bool {
        core.denied.holds(deniedMark(key, header), now: core.loop.now, silence: deniedSilenceNanoseconds)
    }

    /// The mark of a client that the current plan denied. Another plan judges the client again.
    private func deniedMark(_ key: SessionKey, _ header: ProxyHeader?) -> DeniedSources.Mark {
        DeniedSources.Mark(
            key: key, client: header?.addresses?.source, listener: bound.number, generation: route.generation)
    }

    /// The silence after which a denied source is forgotten.
    private var deniedSilenceNanoseconds: UInt64 { route.settings.unassuredTimeout.clampedNanoseconds }

    /// Whether an answer to the peer would reach a listener of this process, and so go round for ever.
    private func isOwnListener(_ peer: SocketAddress, at localIP: IPAddress) -> Bool {
        // The address that the datagram was sent to is one of this machine, known or new.
        core.ownListeners.wouldLoop(.udp, peer, isLocal: peer.ip == localIP)
    }

    private func refusal(
        _ context: StreamContext, at localIP: IPAddress, of network: ClientNetwork?,
        _ route: RouteSnapshot<UDPSettings>
    ) -> (RejectReason, DropReason)? {
        if isOwnListener(context.peerAddress, at: localIP) { return (.loop, .loop) }
        if isDraining { return (.draining, .draining) }
        if let admit = route.hooks.admit, case .reject(let reason) = admit(context) {
            return (reason, DropReason(reason))
        }
        return owner.acquireSession(for: network) ? nil : (.sessionLimit, .sessionLimit)
    }

    /// Removes a session that has ended and released its resources.
    func forget(_ session: UDPSession) {
        if session.isKeyedByClient { proxiedSessions[session.proxiedKey] = nil } else { sessions[session.key] = nil }
        core.headeredPeers.sessionEnded(headeredMark(session.key), now: core.loop.now)
        owner.forget(session)
        finishIfDone()
    }

    // MARK: Ending

    private var allSessions: [UDPSession] { Array(sessions.values) + proxiedSessions.values }
    private var hasNoSession: Bool { sessions.isEmpty && proxiedSessions.isEmpty }

    /// Refuses new sessions. Known ones continue on the same socket.
    func stopAccepting() {
        isDraining = true
    }

    func drain(timeout: Duration) {
        guard let token else { return }
        isRemoved = true
        // A removal that was canceled and then requested again reports its end again.
        isDone = false
        drainSessions()
        if hasNoSession {
            finishIfDone()
        } else {
            drainTimer.arm(after: timeout, token: token.with(tag: TimerTag.drain), on: core.loop)
        }
    }

    /// Ends every session that nothing can be expected of, and shortens the idle timeout of the others.
    func drainSessions() {
        for session in allSessions { session.streamDrains() }
    }

    /// Ends the sessions that are still open after the drain time.
    func endDrained() {
        for session in allSessions { session.endDrained() }
    }

    func killSessions() {
        isDraining = true
        for session in allSessions { session.end(.routeRemoved) }
    }

    /// Ends the sessions whose upstream is gone.
    func leave(_ gone: [GoneHost]) {
        for session in allSessions {
            for host in gone { session.leave(host) }
        }
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

    /// Reports the end of the removed listener's last session. The socket stays open until all workers have finished:
    /// with one socket less in its group, the kernel would deliver datagrams of open sessions to the wrong worker.
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

    /// The route serves again. So does the listener, unless it was removed separately.
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
    /// The reason under which a datagram of a rejected session is dropped.
    init(_ reason: RejectReason) {
        switch reason {
        case .acl: self = .acl
        case .routeLimit, .sessionLimit, .perIPLimit: self = .sessionLimit
        case .rateLimit: self = .rateLimit
        case .noUpstream, .upstreamLimit: self = .noUpstream
        case .draining: self = .draining
        case .loop: self = .loop
        case .hook, .proxyProtocol, .probe, .tls, .destination: self = .error
        }
    }
}
