import LinuxIO
import NetworkTypes

/// One client's datagrams to one of our addresses, and the connected socket that takes them to the upstream.
///
/// This file holds the state and the life; the ways of datagrams are in an extension. Confined to its worker.
final class UDPSession: EventHandler {
    enum Phase {
        /// An upstream is chosen (see ``UpstreamConnector``): datagrams wait.
        case preparing
        case open
        case closed
    }

    enum TimerTag {
        static let silence = 0
        static let ingressPause = 1
        static let egressPause = 2
    }

    let key: SessionKey
    /// Whether the client is part of what it is found by (see ``ProxiedSessionKey``).
    let isKeyedByClient: Bool
    let context: StreamContext
    let route: RouteSnapshot<UDPSettings>
    let listener: UDPListener
    var token = EventToken.none
    var phase = Phase.preparing

    var socket: Socket?
    /// The upstream that the socket goes to.
    var member: UpstreamHandle?
    var upstreamAddress: SocketAddress?
    /// The answer of the upstream's name that the address is from (``UpstreamState/epoch``).
    var upstreamEpoch = 0
    /// While the session prepares, and behind that as long as no upstream has answered and others may be tried.
    var connector: UpstreamConnector<UDPDialer>?

    /// Datagrams that wait for the session to be ready, or that are sent again where the first address is dead.
    var queue = DatagramQueue()
    /// Its datagrams of the batch that the listener has just received.
    var batch = InboxOrder.Chain()
    /// What goes in front of datagrams to the upstream; empty where that is nothing.
    var header: [UInt8] = []
    /// Whether the next datagram takes the header along: the first one to each address that the session was connected to.
    var owesHeader = false
    /// Whether runs of datagrams may leave as one send: until the kernel refuses.
    var coalescesIngress = true
    var coalescesEgress = true

    let openedAt: UInt64
    /// When the socket was last connected to an address.
    var lastConnect: UInt64 = 0
    var lastActivity: UInt64
    /// When the client first spoke after the last reply; nil where nothing is unanswered.
    var unansweredSince: UInt64?
    var isAssured = false
    var hasReply = false
    var sawError = false
    /// Whether the selector was told that the upstream broke before it answered.
    var isKnownBroken = false
    /// Once it has ended: as what its datagrams that could not be forwarded were dropped.
    private(set) var endedDropping: DropReason?
    var isThrottled: (ingress: Bool, egress: Bool) = (false, false)
    var ingressBytes: UInt64 = 0
    var egressBytes: UInt64 = 0
    var ingressDatagrams: UInt64 = 0
    var egressDatagrams: UInt64 = 0

    private var silenceTimer = TimerWheel.Identifier.none

    /// Neighbours in the list of sessions that may be evicted.
    var newer: UDPSession?
    // Proof: the list takes a session out before the table lets go of it; a stale one traps.
    unowned(safe) var older: UDPSession?
    var isListed = false

    var core: WorkerCore { listener.core }

    init(
        key: SessionKey, isKeyedByClient: Bool, context: StreamContext, route: RouteSnapshot<UDPSettings>,
        listener: UDPListener
    ) {
        self.key = key
        self.isKeyedByClient = isKeyedByClient
        self.context = context
        self.route = route
        self.listener = listener
        openedAt = listener.core.loop.now
        lastActivity = openedAt
    }

    func start() {
        token = core.loop.insert(self)
        silenceTimer = core.loop.schedule(afterNanoseconds: silenceLimit, token: token.with(tag: TimerTag.silence))
        let connector = makeConnector()
        self.connector = connector
        perform(connector.start(worker: listener.owner.shared.workers[core.index]))
    }

    // MARK: Timers

    /// How long this session may be silent, in nanoseconds.
    private var silenceLimit: UInt64 {
        if listener.isDraining { return UDPListener.drainIdleNanoseconds }
        return (isAssured ? route.settings.idleTimeout : route.settings.unassuredTimeout).clampedNanoseconds
    }

    func timerFired(tag: Int, deadline: UInt64) {
        switch tag {
        case TimerTag.silence: checkSilence()
        case TimerTag.ingressPause: isThrottled.ingress = false
        case TimerTag.egressPause: isThrottled.egress = false
        default: dialTimerFired(tag)
        }
    }

    /// Activity only stores the time; the timer looks at it when it fires.
    func checkSilence() {
        core.loop.cancel(&silenceTimer)
        let now = core.loop.now
        let limit = silenceLimit
        if now - min(now, lastActivity) >= limit {
            end(listener.isDraining ? .drained : .idle)
        } else {
            silenceTimer = core.loop.schedule(
                at: lastActivity.addingReportingOverflow(limit).overflow ? .max : lastActivity + limit,
                token: token.with(tag: TimerTag.silence))
        }
    }

    /// Unassured sessions end at once; the others when they have been silent for a while.
    func streamDrains() {
        if isAssured { checkSilence() } else { end(.drained) }
    }

    func endDrained() {
        guard phase != .closed else { return }
        route.observer?.timedOut(context, kind: .drain)
        end(.drained)
    }

    // MARK: Ending

    /// Ends the session before it had an upstream; what waited is dropped.
    func reject(_ reason: RejectReason) {
        guard release(dropping: DropReason(reason)) else { return }
        route.observer?.rejected(context, reason: reason)
        listener.forget(self)
    }

    /// Ends the session because its stream's new hooks do not admit it.
    func revoke(_ reason: RejectReason) {
        if phase == .preparing { reject(reason) } else { end(.routeRemoved) }
    }

    /// Ends the session, once.
    func end(_ reason: SessionCloseReason) {
        guard release(dropping: reason == .hook || reason == .upstreamError ? .error : .noUpstream) else { return }
        route.observer?.sessionClosed(
            context, reason: reason,
            totals: FlowTotals(
                duration: .nanoseconds(core.loop.now - min(core.loop.now, openedAt)), ingressBytes: ingressBytes,
                egressBytes: egressBytes, ingressDatagrams: ingressDatagrams, egressDatagrams: egressDatagrams,
                upstream: member.map(route.index)))
        listener.forget(self)
    }

    private func release(dropping reason: DropReason) -> Bool {
        guard phase != .closed else { return false }
        endedDropping = reason
        let waiting = phase == .preparing ? queue.count : 0
        if waiting > 0 { drop(.ingress, reason, waiting) }
        forgetQueue()
        phase = .closed
        cancelDial()
        leaveUpstream()
        core.loop.cancel(&silenceTimer)
        socket.take()?.close()
        core.loop.remove(token)
        return true
    }
}
