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
    private nonisolated let encryption: EncryptionSlot
    private let configuration: ExporterConfiguration
    private let server: ExporterServer
    private let loop: EventLoop
    private let paths: (any PathHandler)?

    /// The exporter's thread.
    @safe public nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe thread.asUnownedSerialExecutor() }

    /// Creates an exporter that does not listen yet.
    ///
    /// - Parameters:
    ///   - configuration: where it listens, who may ask, and the bounds.
    ///   - page: makes the metrics, on the exporter's thread.
    ///   - health: the answers of `/healthz` and `/readyz`, asked on the exporter's thread; by default both are yes.
    ///   - document: the answer of `/api/v1/status`, made on the exporter's thread; nil is 404.
    ///   - paths: answers for paths that the exporter does not know, on no particular thread, to clients of listeners
    ///     with ``UnixListener/Clients/verified(hasPaths:)``; nil is 404.
    ///   - observer: hears what is served, on the exporter's thread.
    /// - Throws: ``ExporterError/cannotStart(_:)`` where the thread or its event loop is not to be had.
    public init(
        _ configuration: ExporterConfiguration, page: sending any MetricsPage, health: HealthChecks = HealthChecks(),
        document: sending (any LiveDocument)? = nil, paths: (any PathHandler)? = nil,
        observer: (any ExporterObserver)? = nil
    ) throws(ExporterError) {
        do throws(SystemError) {
            thread = try EventLoopThread(name: "weir-exporter")
            loop = try EventLoop(wokenBy: thread, clock: configuration.clock)
        } catch {
            throw .cannotStart(error)
        }
        self.configuration = configuration
        encryption = EncryptionSlot(configuration.encryption)
        server = ExporterServer(
            configuration, encryption: encryption, loop: loop, page: page, health: health, document: document,
            observer: observer)
        self.paths = paths
    }

    /// Has a request answered, and delivers the answer in any case: until then the server counts the request.
    private func ask(_ paths: any PathHandler, for request: PathRequest, _ number: UInt64) async {
        let answer = await paths.answer(request)
        server.deliver(answer, to: number)
    }

    /// Listens on one more Unix socket, until ``stop()``.
    public func listen(_ listener: UnixListener) throws(ExporterError) { try server.add(listener) }

    /// Replaces the access rules. Connections that are not allowed any more are closed; the next requests of the others
    /// are checked by the new rules.
    public func update(_ access: ExporterAccess) { server.update(access) }

    /// Encrypts the TCP connections that are accepted from now on, or, with nil, no longer does. Those that are open
    /// stay as they are. Any thread.
    public nonisolated func encrypt(with encryption: ExporterEncryption?) { self.encryption.value = encryption }

    /// Whether TCP connections that are accepted now are encrypted. Any thread.
    public nonisolated var isEncrypted: Bool { encryption.value != nil }

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
        if let paths {
            server.askPath = { [weak self] request, number in
                Task { await self?.ask(paths, for: request, number) }
            }
        }
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
