import LinuxIO
import NetworkTypes

/// One connection of a client of the exporter: reads a head, answers, and again. Confined to the exporter's thread.
///
/// What it is registered for in epoll follows its phase, so a client that sends while it is being answered, or reads
/// nothing, costs no turns.
final class ScrapeConnection: HandshakeHandler {
    enum Phase: Equatable {
        /// The handshake of its session is in progress.
        case handshaking
        /// For the first byte of a head, or the rest of it.
        case awaitingHead
        /// So many bytes of a request body are still to come and to be thrown away.
        case discardingBody(Int)
        /// The request is complete; its password is being looked at.
        case awaitingVerdict
        /// The request is complete; the page is made at the end of the turn.
        case awaitingPage
        /// The request is complete; another module answers it.
        case awaitingAnswer
        /// Its answer has begun and never goes on.
        case silent
        case writing
        /// The last answer is written and our side is shut; so many bytes more are thrown away.
        case lingering(Int)
        case closed
    }

    private static let timerTag = 1

    let server: ExporterServer
    /// Nil on a Unix socket.
    let peer: SocketAddress?
    let source: ClientSource
    /// Whether it was made to a loopback address of ours.
    let isOnLoopback: Bool
    /// Unlike that of every other connection.
    let number: UInt64
    let clients: UnixListener.Clients
    var phase = Phase.awaitingHead
    var socket: Socket?
    /// Encrypts it; nil for plain HTTP.
    var session: (any SecureSession)?
    /// Whether pages are only for clients with a certificate, and it has shown none yet.
    var lacksCertificate: Bool
    /// Whether it waits for a step of its handshake.
    var awaitsStep = false
    /// Whether decrypted bytes may wait in the session, for which no event comes.
    var mayHoldInput = false
    private(set) var token: EventToken?
    private var timer = TimerWheel.Identifier.none
    private var interest = EventSet.readable

    /// Bytes of heads: at most ``ExporterLimits/headBytes``.
    var input: [UInt8] = []
    var scanner = HeadScanner()
    /// `input` holds bytes that arrived behind the last request.
    var hasPipelinedInput = false
    var plan = RequestPlan(refusing: .malformed)
    /// The password that it waits for; nil where it waits for none.
    var awaitedVerdict: KeyedDigest.Value?

    /// Head of the answer, and its body unless that is a page.
    var output: [UInt8] = []
    var outputOffset = 0
    var page: PageBody?
    var pageOffset = 0
    var encoding = ContentEncoding.identity

    /// Whether it got an answer before.
    var isServed = false
    /// Requests in the last seconds: since ``countedSince``, after which the count begins anew.
    private(set) var requestsInWindow = 0
    private var countedSince: UInt64 = 0
    private static let countingNanoseconds: UInt64 = 10_000_000_000
    /// Since when it waits for what its phase says, in nanoseconds.
    var waitingSince: UInt64
    /// When the client last took a byte of the answer.
    var lastProgress: UInt64 = 0

    init(
        _ socket: consuming Socket, from peer: SocketAddress?, isOnLoopback: Bool, number: UInt64,
        _ clients: UnixListener.Clients, _ encryption: ExporterEncryption?, server: ExporterServer
    ) {
        self.socket = consume socket
        session = encryption?.makeSession()
        lacksCertificate = encryption?.demandsCertificate ?? false
        if session != nil { phase = .handshaking }
        self.peer = peer
        source = ClientSource(peer)
        self.isOnLoopback = isOnLoopback
        self.number = number
        self.clients = clients
        self.server = server
        waitingSince = server.loop.now
    }

    /// Registers it, and reads at once: the request often comes right behind the handshake.
    func start() throws(SystemError) {
        let token = server.loop.insert(self)
        self.token = token
        if let number = socket?.number { try server.loop.add(number, interest, token: token) }
        if phase == .handshaking {
            setDeadline(after: server.limits.handshakeTimeout)
            awaitHandshakeStep()
        } else {
            setDeadline(after: server.limits.headTimeout)
            readHead()
        }
    }

    /// Counts a request that is complete.
    func countRequest() {
        if server.loop.now - min(countedSince, server.loop.now) >= Self.countingNanoseconds {
            requestsInWindow = 0
            countedSince = server.loop.now
        }
        requestsInWindow += 1
    }

    // MARK: Events

    func descriptorReady(_ events: EventSet, tag: Int) {
        switch phase {
        case .handshaking: awaitHandshakeStep()
        case .awaitingHead: readHead()
        case .discardingBody(let rest): discardBody(rest)
        case .awaitingVerdict: if !events.isDisjoint(with: [.peerClosed, .hangup, .error]) { close() }
        // Nothing was asked for, so this is a broken connection.
        case .awaitingPage: if !events.isDisjoint(with: [.hangup, .error]) { close() }
        case .awaitingAnswer, .silent: if !events.isDisjoint(with: [.peerClosed, .hangup, .error]) { close() }
        case .writing: flush()
        case .lingering(let rest): if flushSession() { linger(rest) }
        case .closed: break
        }
    }

    /// The next request, which came in one piece with the one that was just answered, or bytes that the session holds.
    func deferred(tag: Int) {
        switch phase {
        case .awaitingHead: if hasPipelinedInput || mayHoldInput { readHead() }
        case .discardingBody(let rest): if mayHoldInput { discardBody(rest) }
        default: break
        }
    }

    func timerFired(tag: Int, deadline: UInt64) {
        timer = .none
        switch phase {
        case .handshaking:
            session?.handshakeTimedOut()
            close()
        case .awaitingHead:
            // Silence is no request, and so gets no answer.
            if scanner.hasBegun { refuse(.requestTimeout) } else { close() }
        case .discardingBody: refuse(.requestTimeout)
        case .awaitingVerdict:
            stopAwaitingVerdict()
            refuse(.unavailable)
        case .writing where server.loop.now - lastProgress < server.limits.writeTimeout.clampedNanoseconds:
            let passed = Duration.nanoseconds(Int64(clamping: server.loop.now - lastProgress))
            setDeadline(after: server.limits.writeTimeout - passed)
        case .awaitingAnswer: refuse(.unavailable)
        case .writing, .awaitingPage: reset()
        case .lingering: close()
        case .silent, .closed: break
        }
    }

    /// Ends a deadline: the connection may last.
    func clearDeadline() { server.loop.cancel(&timer) }

    func setDeadline(after duration: Duration) {
        guard let token else { return }
        server.loop.cancel(&timer)
        timer = server.loop.schedule(
            afterNanoseconds: duration.clampedNanoseconds, token: token.with(tag: Self.timerTag))
    }

    /// Changes what epoll tells about it.
    func listen(for events: EventSet) {
        guard interest != events, let number = socket?.number, let token else { return }
        do {
            try server.loop.modify(number, events, token: token)
            interest = events
        } catch {
            close()
        }
    }

    // MARK: Ends

    /// Closes it. What was written still reaches the client.
    func close() {
        if phase != .handshaking { finishSession() }
        socket.take()?.close()
        forget()
    }

    /// Closes it and drops what the client did not take.
    func reset() {
        socket.take()?.closeWithReset()
        forget()
    }

    private func forget() {
        guard phase != .closed else { return }
        if phase == .awaitingVerdict { server.observer?.passwordAbandoned() }
        phase = .closed
        stopAwaitingVerdict()
        server.loop.cancel(&timer)
        if let token { server.loop.remove(token) }
        token = nil
        releasePage()
        server.remove(self)
    }

    func releasePage() {
        if let page { server.release(page) }
        page = nil
    }
}
