import LinuxIO
import WeirMetrics

/// Everything that lives on the exporter's thread: listeners, connections, the pages and the spare descriptor.
final class ExporterServer: EventHandler {
    private static let receiveBytes = 16 * 1024

    let loop: EventLoop
    let limits: ExporterLimits
    let health: HealthChecks
    let observer: (any ExporterObserver)?
    let clock: MonotonicClock
    /// The page at `/`.
    let index: String

    private(set) var connections: [ClientConnection] = []
    private var listeners: [ListeningSocket] = []
    /// Kept open for the day when there are no more: closing it lets one client in.
    private var reserve: Socket?
    private var received = [UInt8](repeating: 0, count: receiveBytes)

    let page: any MetricsPage
    let gzip = GzipStream()
    var shelf: PageShelf
    var pageBytes: [UInt8] = []
    /// Connections whose page is made at the end of this turn, or when there is room for it.
    var awaitingPage: [ClientConnection] = []
    var token: EventToken?
    var isRenderingDeferred = false
    var renderRetry = TimerWheel.Identifier.none

    init(
        _ configuration: ExporterConfiguration, loop: EventLoop, page: any MetricsPage, health: HealthChecks,
        observer: (any ExporterObserver)?
    ) {
        self.loop = loop
        self.page = page
        self.health = health
        self.observer = observer
        limits = configuration.limits
        clock = configuration.clock
        index = IndexPage.html(product: configuration.product)
        shelf = PageShelf(capacity: configuration.limits.pagesInFlight)
    }

    // MARK: Life

    /// Listens on every address, or on none.
    func start(_ addresses: [SocketAddress]) throws(ExporterError) -> [SocketAddress] {
        token = loop.insert(self)
        refillReserve()
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
        for listener in listeners {
            do throws(SystemError) {
                try listener.start()
            } catch {
                stop()
                throw .cannotListen(listener.address, error)
            }
        }
        return listeners.map(\.address)
    }

    /// Closes everything.
    func stop() {
        for listener in listeners { listener.close() }
        listeners = []
        if let token { loop.remove(token) }
        token = nil
        for connection in connections { connection.close() }
        awaitingPage = []
        reserve.take()?.close()
        loop.cancel(&renderRetry)
    }

    func descriptorReady(_ events: EventSet, lane: Int) { renderPages() }

    func timerFired(lane: Int, deadline: UInt64) { renderPages() }

    // MARK: Connections

    /// Takes a client in, in the place of another one where it must be.
    func admit(_ socket: consuming Socket, from peer: SocketAddress) {
        refillReserve()
        let source = ClientSource(peer.ip)
        guard makeRoom(for: source) else { return turnAway(socket) }
        let connection = ClientConnection(socket, source: source, server: self)
        connections.append(connection)
        do {
            try connection.start()
        } catch {
            connection.close()
        }
    }

    func remove(_ connection: ClientConnection) {
        connections.removeAll { $0 === connection }
        // Not while stopping: then nothing is opened any more.
        if token != nil { refillReserve() }
    }

    /// Tells a client that there is no room. It is not waited for: there is no room for that either.
    private func turnAway(_ socket: consuming Socket) {
        observer?.requestAnswered(.unavailable)
        let text = "too many connections\n"
        var answer: [UInt8] = []
        ResponseHead(status: .unavailable, contentLength: text.utf8.count).append(to: &answer)
        answer.append(ascii: text)
        _ = unsafe answer.withUnsafeBytes { unsafe socket.send($0) }
        socket.close()
    }

    // MARK: Bytes

    /// Receives into the buffer that all connections share.
    func receive(from connection: ClientConnection, atMost limit: Int) -> ReadResult {
        let length = min(limit, received.count)
        let result = unsafe received.withUnsafeMutableBytes {
            unsafe connection.socket?.receive(into: UnsafeMutableRawBufferPointer(rebasing: $0[..<length]))
        }
        return result ?? .endOfStream
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

    /// Makes one descriptor free: the spare one, or that of the connection that gives way first.
    func freeDescriptor() -> Bool {
        if let spare = reserve.take() {
            spare.close()
            return true
        }
        return giveWay(among: nil)
    }
}
