import LinuxIO

/// One proxied TCP connection: the client's socket, the upstream's, and what flows between them.
///
/// Its life: perhaps a PROXY header and a pre-dial hook, the dial, the relay, and where a side broke a short time of
/// flushing. Each part has a file; this one holds the state and the way in. Confined to its worker.
final class TCPConnection: EventHandler {
    enum Phase {
        /// The PROXY header of a trusted peer has not come whole yet.
        case awaitingHeader
        /// An upstream is chosen and dialed (see ``UpstreamConnector``).
        case dialing
        /// Bytes flow.
        case relaying
        /// One side broke: what the other one is still owed is on its way, then it is reset.
        case flushing
        case closed
    }

    /// Descriptor 0 is the client; 1 to 7 are attempts to reach the upstream.
    static let clientTag = 0

    enum TimerTag {
        static let main = 0
        static let ingressPause = 2
        static let egressPause = 3
        static let flush = 4
        static let keepalive = 5
    }

    let context: StreamContext
    let route: RouteSnapshot<TCPSettings>
    let owner: TCPRoute
    let listener: TCPListener
    // Proof: as below.
    @safe @exclusivity(unchecked) var token = EventToken.unowned
    /// Only while an upstream is chosen and dialed.
    var connector: UpstreamConnector<TCPDialer>?
    /// The upstream that was reached.
    var member: UpstreamHandle?
    /// Its index in the route's list.
    var place = 0

    // Exclusivity is not checked at run time on what every read and write touches: one thread owns the connection, and
    // `pump`, which holds both sides and a flow, reaches them through its arguments only.
    @safe @exclusivity(unchecked) var phase = Phase.dialing
    @safe @exclusivity(unchecked) var client: Side
    @safe @exclusivity(unchecked) var upstream = Side()
    @safe @exclusivity(unchecked) var upstreamTag = -1
    @safe @exclusivity(unchecked) var ingress = Flow()
    @safe @exclusivity(unchecked) var egress = Flow()

    /// The coarse time of the last byte moved.
    @safe @exclusivity(unchecked) var lastActivity: UInt64
    let openedAt: UInt64
    /// Deadline of the header or of silence, whichever the phase has.
    var mainTimer = TimerWheel.Identifier.none
    /// Whether a byte has come from the client.
    @safe @exclusivity(unchecked) var hasQuestion = false
    /// The direction that ended first.
    var firstEnd: Direction?
    /// Whether the timer for a half-closed connection was armed.
    @safe @exclusivity(unchecked) var isHalfCloseTimed = false
    /// Set by the first break; it outranks any end.
    @safe @exclusivity(unchecked) var brokenReason: ConnectionCloseReason?
    /// Only while what a side is still owed is on its way.
    var flushing: Flushing?

    var core: WorkerCore { owner.core }

    init(
        client: consuming Socket, context: StreamContext, route: RouteSnapshot<TCPSettings>, owner: TCPRoute,
        listener: TCPListener
    ) {
        self.client = Side(socket: client)
        self.context = context
        self.route = route
        self.owner = owner
        self.listener = listener
        openedAt = owner.core.loop.now
        lastActivity = openedAt
    }

    /// Registers the client and begins. The connection may have ended when this returns.
    func start() {
        token = core.loop.insert(self)
        guard let number = client.socket?.number else { return }
        do {
            // From here on a client that goes away is seen, also while the upstream is being dialled.
            try core.loop.add(number, .relay, token: token.with(tag: Self.clientTag))
        } catch {
            end(.error, withReset: true)
            return
        }
        if context.awaitsProxyHeader { awaitHeader() } else { connect() }
    }

    // MARK: Events

    func descriptorReady(_ events: EventSet, tag: Int) {
        switch phase {
        case .closed: return
        case .awaitingHeader: headerNews(events)
        case .dialing:
            if tag == Self.clientTag { clientNews(events) } else { attemptReady(events, tag: tag) }
        case .relaying, .flushing:
            if tag == Self.clientTag {
                client.note(events)
            } else if tag == upstreamTag {
                upstream.note(events)
            }
            relay()
        }
    }

    /// The name of the upstream has an answer, or the relay goes on where its budget ended.
    func deferred(tag: Int) {
        switch phase {
        case .closed, .awaitingHeader: return
        case .dialing: nameAnswered()
        case .relaying, .flushing: relay()
        }
    }

    /// Before the relay only a client that broke matters; its data, or its FIN, waits in the kernel.
    private func clientNews(_ events: EventSet) {
        client.note(events)
        if events.contains(.error) || events.contains(.hangup) {
            client.isBroken = true
            cancelDial()
            end(.clientReset, withReset: true)
        }
    }

    func timerFired(tag: Int, deadline: UInt64) {
        switch (phase, tag) {
        case (.closed, _): return
        case (.awaitingHeader, TimerTag.main): headerTimedOut()
        case (.dialing, _): dialTimerFired(tag)
        case (.relaying, TimerTag.main): checkSilence()
        case (_, TimerTag.ingressPause): throttleEnded(.ingress)
        case (_, TimerTag.egressPause): throttleEnded(.egress)
        case (.relaying, TimerTag.keepalive): startUpstreamKeepalive()
        case (.flushing, TimerTag.flush): checkFlushed()
        default: return
        }
    }
}
