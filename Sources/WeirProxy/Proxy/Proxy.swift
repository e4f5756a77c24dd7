import Logging
public import NetworkTypes
import Threading
public import WeirConfiguration
import WeirExporter
import WeirMetrics
public import WeirStream

#if TLS
import WeirAgent
#endif

/// A running Weir: routes with their metrics and logs, the exporter, health, reload and drain.
///
/// ``start()``, ``apply(_:)`` and ``shutdown()`` may be called from any task at any time. They take turns in the order
/// of their calls, and each returns: after a shutdown has begun the other two throw ``ProxyError/ending``.
///
/// ```swift
/// let proxy = try Proxy(configuration)
/// try await proxy.start()
/// try await proxy.apply(changed)
/// await proxy.shutdown()
/// ```
public actor Proxy {
    /// The options of a program that embeds a proxy.
    public struct Options: Sendable {
        /// The descriptor of the log; standard output by default.
        public var logDescriptor: CInt = 1
        /// The resolver of upstream names; nil for that of the system.
        public var resolver: (any NameResolver)?

        /// The defaults.
        public init() {}
    }

    /// The phases of the proxy's life.
    enum State {
        case created, starting, running, ended
    }

    let components: ProxyComponents
    let logger: Logger
    var routes: [RouteKey: RunningRoute] = [:]
    /// The listeners that several routes share.
    var listeners: [ListenerKey: RunningListener] = [:]
    /// The clients that may use the routes.
    var access: AccessState
    var listMetrics: AccessListMetrics
    /// The limits of the clients.
    var limits: LimiterCache
    /// The configuration in use.
    public internal(set) var configuration: Configuration
    private(set) var state = State.created
    /// Whether a shutdown has begun. What has its turn meanwhile leaves as soon as it can.
    private(set) var isEnding = false
    /// The start, reloads and the end run one after another.
    let turns = TurnQueue()
    /// The socket for operators, where one is configured.
    var admin: AdminServer?
    /// Connections that tell whether a suspected upstream was the cause.
    var probesRunning = 0
    /// Notices ejections that are over, once a second.
    var ejectionClock: Task<Void, Never>?
    #if TLS
    /// The TLS of routes.
    var tls = TLSStore()
    /// The agents that routes dial through.
    var agents = AgentStore()
    let agentProbes: AgentProbes
    /// The gate of an agent's clients; nil before the first agent.
    var agentGate: AgentGate?
    /// Whether the exporter serves the pages of an agent.
    var servesAgentPages = false
    #endif
    var certificateMetrics: CertificateMetrics
    /// Looks at the files of certificates, while there are some.
    var certificateClock: Task<Void, Never>?
    /// The configuration that a reload goes over to.
    var nextConfiguration: Configuration?
    /// Removed routes whose streams still carry something.
    var draining: [ObjectIdentifier: RunningRoute] = [:]

    /// Makes the engine, the registry, the log and the exporter. Nothing listens yet.
    public init(_ configuration: Configuration, options: Options = Options()) throws(ProxyError) {
        self.configuration = configuration
        limits = LimiterCache(configuration.limits.traffic)
        components = try ProxyComponents(configuration, options: options)
        access = try AccessState(configuration, components: components)
        listMetrics = AccessListMetrics(components.registry)
        certificateMetrics = CertificateMetrics(components.registry)
        let log = components.log
        logger = Logger(label: "weir") { _ in WeirLogHandler(log) }
        #if TLS
        agentProbes = AgentProbes(logger: logger)
        #endif
    }

    // MARK: Outside

    /// The addresses of the exporter, with the real ports; without Unix sockets.
    public nonisolated var exporterAddresses: [SocketAddress] { components.exporter.localAddresses }

    /// Whether the exporter speaks TLS at its addresses.
    public nonisolated var isExporterEncrypted: Bool { components.exporter.isEncrypted }

    /// Whether the process lives and should get traffic.
    public nonisolated var health: Health { components.health }

    /// A worker that has not turned for ``Health/maxTurn``, which `/healthz` names; nil while all do.
    public nonisolated var stalledWorker: Int? { components.engine.stalledWorker(after: Health.maxTurn) }

    /// How many event-loop threads carry the routes.
    public nonisolated var workerCount: Int { components.engine.workerCount }

    /// How every route stands, in the order of the configuration.
    public var reports: [RouteReport] {
        configuration.routes.compactMap { routes[RouteKey($0)]?.observer.report }
    }

    /// The first address that a route listens on, with the real port; nil where there is no such route. Of a route for
    /// both transports it is that of TCP.
    public func localAddress(ofRoute name: String) -> SocketAddress? {
        let named = routes.values.filter { $0.configuration.name == name }
        guard let route = named.first(where: { $0.configuration.transport == .tcp }) ?? named.first else { return nil }
        if !route.entry.listen.isEmpty { return route.stream.stream.localAddress }
        return listeners.first { route.entry.shared.contains($0.key) }?.value.listener.localAddress
    }

    // MARK: Start

    /// Binds every route and the exporter, and serves; or throws, and nothing is bound.
    ///
    /// A proxy starts once, also where the start failed.
    /// - Throws: ``ProxyError/alreadyStarted`` for a second call, which changes nothing; ``ProxyError/ending`` where
    ///   ``shutdown()`` was called before or meanwhile; otherwise what could not be had.
    public func start() async throws(ProxyError) {
        try await start(awaitingContainers: false)
    }

    /// As ``start()``. Where routes of containers are awaited, the proxy is ready with ``becomeReady(warning:)`` only.
    func start(awaitingContainers: Bool) async throws(ProxyError) {
        if isEnding { throw .ending }
        guard state == .created else { throw .alreadyStarted }
        state = .starting
        await turns.enter()
        defer { turns.leave() }
        // A shutdown that had its turn first has ended what there was; one behind this call does.
        if isEnding { throw .ending }
        do throws(ProxyError) {
            try prepareTLS(configuration)
            secureExporter(configuration)
            try prepareAgents(configuration)
            await components.members.follow(configuration.routes)
            let plan = try makePlan(configuration.routes)
            let bound = try await bind(plan.added, plan: plan)
            var shared: [BoundListener] = []
            do throws(ProxyError) {
                shared = try await bindShared(plan)
                try await startExporter()
                try startAdmin()
                try await serveAgentPages(configuration)
                try await serve(bound)
            } catch {
                await release(bound)
                await release(shared)
                throw error
            }
            try await serve(shared)
            // Called while this ran, a shutdown waits for its turn: nothing may be left for it to overlook.
            if isEnding { throw .ending }
        } catch {
            state = .ended
            await closeEverything(drainTimeout: .zero)
            await stopComponents()
            throw error
        }
        state = .running
        followUpstreams()
        await checkUpstreams(routes.values.map(\.served))
        await takeAgents()
        takeTLS()
        listMetrics.show(access.plan.ruleCounts)
        components.metrics.configurationTaken(isReload: false)
        publishRoutes()
        publishConfiguration(problem: nil)
        components.health.phase = .awaitingContainers
        if !awaitingContainers { becomeReady() }
    }

    /// Tells `/readyz` and the log that all routes serve, behind a warning where there is one. False where that was
    /// told before, and where the proxy ends.
    @discardableResult
    func becomeReady(warning: String? = nil) -> Bool {
        guard state == .running, !isEnding, components.health.phase == .awaitingContainers else { return false }
        if let warning { warn(warning) }
        components.health.phase = .ready
        logger.info(
            "ready",
            metadata: [
                "routes": "\(routes.count)", "workers": "\(workerCount)",
                "workers_from": "\(components.workersSource)", "exporter": exporterText,
            ])
        return true
    }

    private func startExporter() async throws(ProxyError) {
        do throws(ExporterError) {
            try await components.exporter.start()
        } catch {
            throw .exporter(error)
        }
        // A client that comes through a route has this machine's address, which `exporter.allow` lets in.
        await components.engine.refuseDials(.tcp, to: components.exporter.localAddresses)
    }

    private var exporterText: Logger.MetadataValue { .string(exporterEndpoints.joined(separator: ",")) }

    /// The endpoints of `/metrics`: addresses with their real ports, and paths.
    var exporterEndpoints: [String] {
        let paths = configuration.exporter.listen.filter { if case .unix = $0 { true } else { false } }
        return exporterAddresses.map(\.description) + paths.map(\.description)
    }

    /// The routes and the exporter, in one line for people.
    var summary: String {
        let count = configuration.routes.count
        return "\(count) \(count == 1 ? "route" : "routes"), metrics at \(exporterEndpoints.joined(separator: ", "))"
    }

    // MARK: End

    /// Ends well: tells `/readyz`, waits for the delay, refuses what is new, and lets old connections finish within the
    /// drain time. Returns when everything is closed and the log is written, also where another call has begun it, the
    /// start is under way, which gives up then, or there was none: a proxy that has ended never starts.
    public func shutdown() async {
        let times = configuration.shutdown
        if !isEnding {
            isEnding = true
            if state == .running {
                components.health.phase = .draining
                logger.info(
                    "draining",
                    metadata: ["delay": Self.seconds(times.delay), "drain_timeout": Self.seconds(times.drainTimeout)])
                if times.delay > .zero { try? await Task.sleep(for: times.delay) }
            }
        }
        // A start or a reload that is under way ends first; none begins any more.
        await turns.enter()
        defer { turns.leave() }
        guard state != .ended else { return }
        await closeEverything(drainTimeout: times.drainTimeout)
        state = .ended
        await stopComponents(lastWords: "stopped")
    }

    /// Writes out what the log still holds, for at most this long: for a process that ends at once.
    public nonisolated func flushLog(within limit: Duration) {
        components.log.close(within: limit)
    }

    /// `30s`, `1500ms`.
    static func seconds(_ duration: Duration) -> Logger.MetadataValue {
        let milliseconds = duration.clampedNanoseconds / 1_000_000
        let (whole, rest) = milliseconds.quotientAndRemainder(dividingBy: 1000)
        if rest == 0 { return .string("\(whole)s") }
        return .string("\(milliseconds)ms")
    }

    private func closeEverything(drainTimeout: Duration) async {
        let streams = routes.values.map(\.stream.stream) + draining.values.map(\.stream.stream)
        for route in routes.values { logStop(route) }
        let shared = listeners.values.map(\.listener)
        routes = [:]
        listeners = [:]
        publishRoutes()
        for listener in shared { await listener.close(drainTimeout: drainTimeout) }
        for stream in streams { await stream.close(drainTimeout: drainTimeout) }
        // The engine ends what outlives the drain time; this bound is for what should not happen.
        await Self.withDeadline(drainTimeout + .seconds(10)) {
            for stream in streams { await stream.waitUntilClosed() }
            for listener in shared { await listener.waitUntilClosed() }
        } onDeadline: {
            for stream in streams { await stream.kill() }
            for listener in shared { await listener.kill() }
        }
    }

    /// Ends what there is besides routes. `lastWords` is the last line of the log.
    private func stopComponents(lastWords: String? = nil) async {
        admin?.stop()
        ejectionClock?.cancel()
        certificateClock?.cancel()
        #if TLS
        await agentProbes.stop()
        #endif
        components.upstreamSets.close()
        await components.members.stop()
        await components.upstreamChecks.stop()
        await components.exporter.stop()
        await components.programs.stop()
        await components.engine.shutdown()
        if let log = access.log, log.file != nil { log.output.close(within: .seconds(2)) }
        let line = lastWords.flatMap { components.log.line($0) }
        components.log.close(within: .seconds(2), lastLine: line)
    }

    /// Runs `body`, and `onDeadline` beside it where that takes too long.
    private static func withDeadline(
        _ limit: Duration, _ body: @escaping @Sendable () async -> Void,
        onDeadline: @escaping @Sendable () async -> Void
    ) async {
        let late = Task {
            guard (try? await Task.sleep(for: limit)) != nil else { return }
            await onDeadline()
        }
        await body()
        late.cancel()
    }
}
