import LinuxIO
import NetworkTypes

/// A session: the datagrams of one client to one local address, and the socket that is connected to the upstream.
///
/// This file has the state, the timers and the end; extensions dial, and forward datagrams. Confined to its worker.
final class UDPSession: EventHandler, Evictable {
    enum Phase {
        /// ``UpstreamConnector`` chooses an upstream, and datagrams wait.
        case preparing
        case open
        case closed
    }

    enum TimerTag {
        static let silence = 0
        static let ingressPause = 1
        static let egressPause = 2
        static let kernelDrops = 3
        static let trial = 5
    }

    let key: SessionKey
    /// Whether the client is part of the key (see ``ProxiedSessionKey``).
    let isKeyedByClient: Bool
    let context: StreamContext
    let route: RouteSnapshot<UDPSettings>
    let listener: UDPListener
    var token = EventToken.none
    var phase = Phase.preparing

    var socket: Socket?
    /// The upstream to which the socket is connected.
    var member: UpstreamHandle?
    var upstreamAddress: SocketAddress?
    /// The ``UpstreamState/epoch`` of the address.
    var upstreamEpoch = 0
    /// The connector while the session prepares, and afterwards while no upstream has answered and others may be tried.
    var connector: UpstreamConnector<UDPDialer>?

    /// The trial of another address of the upstream's name, until there is an answer.
    var trial = AddressTrial()

    /// Datagrams that wait for the session to be ready, or that are sent again where the first address does not answer.
    var queue = DatagramQueue()
    /// The session's datagrams of the batch that the listener has just received.
    var batch = InboxOrder.Chain()
    /// The PROXY header of datagrams to the upstream; empty where there is none.
    var header: [UInt8] = []
    /// Whether the next datagram needs the header: the first one to each address to which the session was connected.
    var owesHeader = false
    /// Whether several datagrams may be sent as one (`UDP_SEGMENT`, udp(7)): until the kernel refuses it.
    var coalescesIngress = true
    var coalescesEgress = true

    let openedAt: UInt64
    /// The time of the last connect(2).
    var lastConnect: UInt64 = 0
    var lastActivity: UInt64
    /// The time of the next look at our own address, while there is no reply.
    var nextOwnAddressLook: UInt64 = 0
    /// The time of the first datagram of the client after the last reply; nil where none is unanswered.
    var unansweredSince: UInt64?
    var owedReplies = OwedReplies()
    var isAssured = false
    var hasReply = false
    var sawError = false
    /// Whether the present dial is for a session whose upstream the policy no longer keeps.
    var isLeaving = false
    /// The time before which the policy is not asked again, after it had no other upstream.
    var nextPolicyLook: UInt64 = 0
    /// Whether the selector knows that the upstream failed before it answered.
    var isKnownBroken = false
    /// Whether the selector knows of a question without an answer, since the last answer.
    var isKnownSilent = false
    /// The time of the last answer that the selector knows.
    var lastNotedAnswer: UInt64 = 0
    /// The reason under which a session that has ended dropped its remaining datagrams; nil before the end.
    private(set) var endedDropping: DropReason?
    var isDropCheckArmed = false
    /// The replies that the kernel dropped in ``socket`` and that are counted.
    var kernelDrops = KernelDropCount()
    /// The bytes that the client may get, on a route that bounds them.
    var replyAllowance: UInt32 = 0
    var isThrottled: (ingress: Bool, egress: Bool) = (false, false)
    var ingressBytes: UInt64 = 0
    var egressBytes: UInt64 = 0
    var ingressDatagrams: UInt64 = 0
    var egressDatagrams: UInt64 = 0

    private var silenceTimer = TimerWheel.Identifier.none

    /// The network of the client; nil for a trusted proxy that names none.
    let network: ClientNetwork?
    /// The mark of the datagram that opened the session.
    let mark: ChainMark
    /// The session in the order of its route's table, and in that of the worker's sessions of all routes.
    var slots = (inRoute: EvictionOrder<UDPSession>.Slot(-1), inWorker: EvictionOrder<UDPSession>.Slot(-1))

    var core: WorkerCore { listener.core }

    init(
        key: SessionKey, isKeyedByClient: Bool, context: StreamContext, route: RouteSnapshot<UDPSettings>,
        listener: UDPListener, network: ClientNetwork?, mark: ChainMark
    ) {
        self.key = key
        self.network = network
        self.mark = mark
        self.isKeyedByClient = isKeyedByClient
        self.context = context
        self.route = route
        self.listener = listener
        openedAt = listener.core.loop.now
        lastActivity = openedAt
    }

    func start() {
        token = core.loop.insert(self)
        silenceTimer = core.loop.schedule(
            afterNanoseconds: silenceLimitNanoseconds, token: token.with(tag: TimerTag.silence))
        let connector = makeConnector()
        self.connector = connector
        perform(connector.start(worker: listener.owner.shared.workers[core.index]))
    }

    // MARK: Timers

    /// The idle timeout of the session in its present state.
    private var silenceLimitNanoseconds: UInt64 {
        if listener.isDraining { return UDPListener.drainIdleNanoseconds }
        return (isAssured ? route.settings.idleTimeout : route.settings.unassuredTimeout).clampedNanoseconds
    }

    func timerFired(tag: Int, deadline: UInt64) {
        switch tag {
        case TimerTag.silence: checkSilence()
        case TimerTag.ingressPause: isThrottled.ingress = false
        case TimerTag.egressPause: isThrottled.egress = false
        case TimerTag.kernelDrops: kernelDropTimerFired()
        case TimerTag.trial: tryNextAddress()
        default: dialTimerFired(tag)
        }
    }

    /// Ends the session where it was silent for its timeout. Activity only stores its time; the timer compares it.
    func checkSilence() {
        core.loop.cancel(&silenceTimer)
        let now = core.loop.now
        let limit = silenceLimitNanoseconds
        if now - min(now, lastActivity) >= limit {
            end(listener.isDraining ? .drained : .idle)
        } else {
            silenceTimer = core.loop.schedule(
                at: lastActivity.addingReportingOverflow(limit).overflow ? .max : lastActivity + limit,
                token: token.with(tag: TimerTag.silence))
        }
    }

    // MARK: Ending

    /// Ends the session to make room for another one. The worker's outbox must be empty.
    func evict() {
        let wasAssured = isAssured
        // Its datagrams in this batch came before that of the new session: send them first.
        sendBatch()
        // The send may have assured the session.
        if isAssured == wasAssured { end(wasAssured ? .networkEvicted : .evicted) }
    }

    /// Ends the session before it has an upstream, and drops its queue.
    func reject(_ reason: RejectReason) {
        guard release(dropping: DropReason(reason)) else { return }
        route.observer?.rejected(context, reason: reason)
        listener.forget(self)
    }

    /// Ends the session because the new hooks of its stream do not admit it.
    func revoke(_ reason: RejectReason) {
        if phase == .preparing { reject(reason) } else { end(.routeRemoved) }
    }

    /// Ends the session because its upstream is gone; the client's next datagram opens another one. A dial to it goes
    /// on with the next upstream.
    func leave(_ gone: GoneHost) {
        guard phase != .closed else { return }
        if let member, let upstream = route.state(of: member)?.upstream, gone.has(upstream) {
            end(.routeRemoved)
        } else if let connector {
            perform(connector.leave(gone))
        }
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
        endTrial()
        leaveUpstream()
        core.loop.cancel(&silenceTimer)
        closeSocket()
        core.loop.remove(token)
        return true
    }
}
