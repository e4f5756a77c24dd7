import LinuxIO
import NetworkTypes
import WeirMetrics

/// Everything that lives on the exporter's thread: listeners, connections, the pages and the spare descriptor.
final class ExporterServer: EventHandler {
    private static let receiveBytes = 16 * 1024
    /// The descriptor that says that there are verdicts on passwords.
    private static let verdictTag = 1

    let loop: EventLoop
    let limits: ExporterLimits
    let health: HealthChecks
    let observer: (any ExporterObserver)?
    let clock: MonotonicClock
    /// The page at `/`.
    var startPage: StartPageBody
    private let encryption: EncryptionSlot
    let handshakes: HandshakeQueue

    /// Has the request of a connection answered elsewhere, exactly once (``deliver(_:to:)``); nil where no other paths
    /// are served.
    var askPath: ((PathRequest, _ number: UInt64) -> Void)?
    /// Requests that are being answered elsewhere, those of connections that have ended meanwhile included.
    private var askedCount = 0
    private var lastNumber: UInt64 = 0
    private(set) var access: ExporterAccess
    private var hosts: Set<[UInt8]> = []
    var authenticator = Authenticator()
    /// Looks at passwords, on another thread; to be set before the start.
    var passwordCheck: PasswordVerifier.Check = PasswordHash.matches
    private(set) var connections: [ScrapeConnection] = []
    private var listeners: [ListeningSocket] = []
    /// Kept open for the day when there are no more: closing it lets one client in.
    private var reserve: Socket?
    private var received = [UInt8](repeating: 0, count: receiveBytes)

    let page: any MetricsPage
    /// The document at `/api/v1/status`; nil where there is none.
    let document: (any LiveDocument)?
    /// The loop's time from which on the next document may be begun.
    var nextDocument: UInt64 = 0
    /// The last document, in each coding that it was made in.
    var lastDocument: [(body: PageBody, coding: ContentEncoding)] = []
    let gzip = GzipStream()
    var pagePool: PagePool
    var pageBytes: [UInt8] = []
    /// Connections whose page is made at the end of this turn, or of a later one.
    var awaitingPage: [ScrapeConnection] = []
    /// The page that is being made.
    var rendering: PageRendering?
    var token: EventToken?
    var isTurnEndDeferred = false
    /// Whether the step of this turn was made before its end.
    var hasSteppedEarly = false
    var writeBudget = WriteBudget()
    /// For how many turns parts have waited for whole pages that are being written.
    var postponedTurns = 0
    /// Renderings so far, and which of them was the last of each source.
    var renderings: UInt64 = 0
    var lastRendering: [ClientSource: UInt64] = [:]
    /// Whole pages that were made since the last part.
    var wholePages = 0
    var renderRetry = TimerWheel.Identifier.none

    init(
        _ configuration: ExporterConfiguration, encryption: EncryptionSlot, loop: EventLoop, page: any MetricsPage,
        health: HealthChecks, document: (any LiveDocument)? = nil, observer: (any ExporterObserver)?
    ) {
        self.loop = loop
        self.encryption = encryption
        handshakes = HandshakeQueue(loop: loop, clock: configuration.clock)
        self.page = page
        self.document = document
        self.health = health
        self.observer = observer
        limits = configuration.limits
        access = configuration.access
        clock = configuration.clock
        startPage = StartPageBody(configuration.startPage, product: configuration.product)
        pagePool = PagePool(capacity: configuration.limits.pagesInFlight)
    }

    // MARK: Life

    /// Listens on every address and Unix socket, or on none.
    func start(
        _ addresses: [SocketAddress], _ unixSockets: [UnixListener] = []
    ) throws(ExporterError) -> [SocketAddress] {
        let token = loop.insert(self)
        self.token = token
        refillReserve()
        do throws(SystemError) {
            let verifier = try PasswordVerifier(matches: passwordCheck)
            try loop.add(verifier.number, .readable, token: token.with(tag: Self.verdictTag))
            authenticator.verifier = verifier
        } catch {
            stop()
            throw .cannotStart(error)
        }
        authenticator.update(access)
        updateHosts()
        for address in addresses {
            do throws(SystemError) {
                let isClaimed = addresses.contains(SocketAddress(.anyIPv4, port: address.port))
                let listener = try ListeningSocket(
                    address, isDualStack: address.ip == .anyIPv6 && !isClaimed, server: self)
                listeners.append(listener)
            } catch {
                stop()
                throw .cannotListen(address, error)
            }
        }
        for unixSocket in unixSockets {
            do throws(UnixSocketFile.Failure) {
                listeners.append(try ListeningSocket(unixSocket, server: self))
            } catch {
                stop()
                throw .cannotListenAt(unixSocket.path, error)
            }
        }
        for listener in listeners {
            do throws(SystemError) {
                try listener.start()
            } catch {
                stop()
                throw .cannotStart(error)
            }
        }
        return listeners.compactMap(\.address)
    }

    /// Listens on one more Unix socket.
    func add(_ listener: UnixListener) throws(ExporterError) {
        guard token != nil else { return }
        let added: ListeningSocket
        do throws(UnixSocketFile.Failure) {
            added = try ListeningSocket(listener, server: self)
        } catch {
            throw .cannotListenAt(listener.path, error)
        }
        do throws(SystemError) {
            try added.start()
        } catch {
            added.close()
            throw .cannotStart(error)
        }
        listeners.append(added)
    }

    /// Closes everything.
    func stop() {
        for listener in listeners { listener.close() }
        listeners = []
        if let token { loop.remove(token) }
        token = nil
        for connection in connections { connection.close() }
        handshakes.close()
        awaitingPage = []
        if let rendering { drop(rendering.wanted) }
        rendering = nil
        lastDocument = []
        authenticator.verifier?.stop()
        authenticator.verifier = nil
        reserve.take()?.close()
        loop.cancel(&renderRetry)
    }

    func descriptorReady(_ events: EventSet, tag: Int) {
        takeVerdicts()
    }

    /// All requests of the turn have been read.
    func deferred(tag: Int) { endTurn() }

    /// Stalled readers may have made room.
    func timerFired(tag: Int, deadline: UInt64) {
        renderRetry = .none
        deferTurnEnd()
    }

    // MARK: Access

    /// Goes over to other rules. They hold for the next request of each connection; one that is not taken any more
    /// ends.
    func update(_ access: ExporterAccess) {
        self.access = access
        authenticator.update(access)
        updateHosts()
        for connection in connections {
            // What was accepted once has an address of ours as long as it is open.
            guard let local = try? connection.socket?.localAddress() else { continue }
            if !isAllowed(connection.peer, local) { connection.close() }
        }
    }

    private func isAllowed(_ peer: SocketAddress?, _ local: SocketAddress) -> Bool {
        guard let peer, let isAllowed = access.isAllowed else { return true }
        return isAllowed(peer.ip, local.ip)
    }

    private func updateHosts() {
        hosts = Set(access.hosts.map { RequestedHost.normalized(Array($0.utf8)) })
    }

    /// Whether requests for that host are answered. A name server can lead a name of its own to a loopback address, and
    /// a browser then takes pages of that name for one origin with ours (DNS rebinding): there, and everywhere when
    /// names are configured, only addresses and known names are served.
    func serves(_ host: RequestedHost, isOnLoopback: Bool) -> Bool {
        guard isOnLoopback || !hosts.isEmpty, case .name(let name) = host else { return true }
        return name == RequestedHost.localhost || hosts.contains(name)
    }

    private func takeVerdicts() {
        authenticator.takeVerdicts()
        for connection in connections where connection.phase == .awaitingVerdict { connection.answer() }
        authenticator.forgetUnable()
    }

    // MARK: Connections

    /// Takes a client in, and evicts another one where it must. Those of Unix sockets have no address.
    func accept(_ socket: consuming Socket, from peer: SocketAddress?, _ clients: UnixListener.Clients = .all) {
        refillReserve()
        let encryption = peer == nil ? nil : encryption.value
        guard let local = try? socket.localAddress(), isAllowed(peer, local) else {
            return refuse(
                socket, .forbidden, "connections from this address are not taken\n", isEncrypted: encryption != nil)
        }
        let isOnThisMachine = peer.map { $0.ip.isLoopback || $0.ip == local.ip } ?? true
        guard evictIfFull(for: ClientSource(peer), isOnThisMachine: isOnThisMachine) else {
            return refuse(socket, .unavailable, "too many connections\n", isEncrypted: encryption != nil)
        }
        lastNumber += 1
        let connection = ScrapeConnection(
            socket, from: peer, isOnLoopback: peer != nil && local.ip.isLoopback, number: lastNumber, clients,
            encryption, server: self)
        connections.append(connection)
        do {
            try connection.start()
        } catch {
            connection.close()
        }
    }

    /// Has the request of a connection answered elsewhere. A client that does not wait for its answer leaves the
    /// request behind: at ``ExporterLimits/connections`` of them further ones are refused.
    func ask(_ request: PathRequest, for connection: ScrapeConnection) {
        guard let askPath, askedCount < limits.connections else {
            return connection.answer(
                PathAnswer.page(.unavailable, contentType: ResponseHead.plainText, body: "too many requests at once\n"))
        }
        askedCount += 1
        askPath(request, connection.number)
    }

    /// Gives a connection the answer of its request, if it still waits.
    func deliver(_ answer: PathAnswer?, to number: UInt64) {
        askedCount -= 1
        connections.first { $0.number == number }?.answer(answer)
    }

    func remove(_ connection: ScrapeConnection) {
        connections.removeAll { $0 === connection }
        // Not while stopping: then nothing is opened any more.
        if token != nil { refillReserve() }
    }

    /// Tells a client why it is refused. Best effort: the answer takes no connection, so a slow reader may miss it. A
    /// client that speaks TLS could not read it before a handshake.
    private func refuse(_ socket: consuming Socket, _ status: HTTPStatus, _ text: String, isEncrypted: Bool) {
        observer?.requestAnswered(status)
        if isEncrypted { return socket.close() }
        var answer: [UInt8] = []
        ResponseHead(status: status, contentLength: text.utf8.count).append(to: &answer)
        answer.append(ascii: text)
        // A request that is here already must not turn the end into a reset, which would take the answer away.
        _ = unsafe received.withUnsafeMutableBytes { unsafe socket.receive(into: $0) }
        _ = unsafe answer.withUnsafeBytes { unsafe socket.send($0) }
        socket.close()
    }

    // MARK: Bytes

    /// Receives into the buffer that all connections share.
    func receive(from connection: ScrapeConnection, atMost limit: Int) -> ReadResult {
        let length = min(limit, received.count)
        return unsafe received.withUnsafeMutableBytes {
            unsafe connection.receive(into: UnsafeMutableRawBufferPointer(rebasing: $0[..<length]))
        }
    }

    /// Appends what the last receive brought.
    func appendReceived(_ count: Int, to input: inout [UInt8]) {
        input += received[..<count]
    }

    // MARK: Descriptors

    /// Whether the process has no descriptor left for us.
    var isOutOfDescriptors: Bool { reserve == nil }

    /// Opens the spare descriptor again where it was spent.
    func refillReserve() {
        if reserve == nil { reserve = try? Socket(.stream, family: .unix) }
    }

    /// Makes one descriptor free: the spare one, or that of the connection to evict first.
    func freeDescriptor() -> Bool {
        if let spare = reserve.take() {
            spare.close()
            return true
        }
        return evictOne()
    }
}
