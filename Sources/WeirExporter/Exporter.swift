public import LinuxIO
public import NetworkTypes
import Threading

/// The HTTP server of `/metrics`, `/healthz` and `/readyz`: an actor on a thread of its own, so that a scrape never
/// runs on a proxy's worker and a busy proxy never holds up a scrape.
///
/// ```swift
/// let exporter = try Exporter(ExporterConfiguration(listen: [address]), page: RegistryPage(registry))
/// try await exporter.start()
/// await exporter.stop()
/// ```
public actor Exporter: EventLoopDriver {
    private nonisolated let thread: EventLoopThread
    private nonisolated let bound = Lock<[SocketAddress]>([])
    private let configuration: ExporterConfiguration
    private let server: ExporterServer
    private let loop: EventLoop

    /// The exporter's thread.
    @safe public nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe thread.asUnownedSerialExecutor() }

    /// An exporter that does not listen yet. `page` makes the metrics, `document` the answer of `/api/v1/status`, if
    /// there is one; `observer` hears what is served. All are used on the exporter's thread only.
    public init(
        _ configuration: ExporterConfiguration, page: sending any MetricsPage, health: HealthChecks = HealthChecks(),
        document: sending (any LiveDocument)? = nil, observer: (any ExporterObserver)? = nil
    ) throws(ExporterError) {
        do throws(SystemError) {
            thread = try EventLoopThread(name: "weir-exporter")
            loop = try EventLoop(wokenBy: thread, clock: configuration.clock)
        } catch {
            throw .cannotStart(error)
        }
        self.configuration = configuration
        server = ExporterServer(
            configuration, loop: loop, page: page, health: health, document: document, observer: observer)
    }

    /// Replaces the access rules. Connections that are not allowed any more are closed; the next requests of the others
    /// are checked by the new rules.
    public func update(_ access: ExporterAccess) { server.update(access) }

    /// The addresses that it listens on, with the real ports; Unix sockets excluded. Empty before ``start()`` and after
    /// ``stop()``.
    public nonisolated var localAddresses: [SocketAddress] { bound.withLock { $0 } }

    /// Binds every address and Unix socket, and serves. If one cannot be bound, nothing stays bound, and the error
    /// names it. An exporter can be started once, also if that fails.
    /// - Throws: ``ExporterError/alreadyStarted`` for another call, and after ``stop()``, which changes nothing;
    ///   otherwise the address or resource that was not available.
    public nonisolated func start() async throws(ExporterError) {
        let isFirst: Bool
        do throws(SystemError) {
            isFirst = try thread.start(driving: self)
        } catch {
            throw .cannotStart(error)
        }
        guard isFirst else { throw .alreadyStarted }
        do throws(ExporterError) {
            try await listen()
        } catch {
            await stop()
            throw error
        }
    }

    /// Closes listeners and connections and ends the thread. Does nothing where it was stopped before.
    public nonisolated func stop() async {
        await thread.stop { await close() }
    }

    private func listen() throws(ExporterError) {
        let addresses = try server.start(configuration.listen, configuration.unixSockets)
        bound.withLock { $0 = addresses }
    }

    private func close() {
        server.stop()
        bound.withLock { $0 = [] }
    }

    /// One turn of the loop; called by the thread.
    public func turn(mayWait: Bool) {
        loop.turn(mayWait: mayWait)
    }

    /// Open connections; a call also makes the loop look at its clock.
    var connectionCount: Int { server.connections.count }
}
