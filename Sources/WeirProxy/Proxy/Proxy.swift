import Logging
public import NetworkTypes
import Threading
public import WeirConfiguration
import WeirExporter
import WeirMetrics
public import WeirStream

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
    private enum State {
        case created, starting, running, ended
    }

    let components: ProxyComponents
    let logger: Logger
    var routes: [ListenerKey: RunningRoute] = [:]
    /// The clients that may use the routes.
    var access: AccessState
    private var listMetrics: AccessListMetrics
    /// The limits of the clients.
    var limits: LimiterCache
    /// The configuration in use.
    public internal(set) var configuration: Configuration
    private var state = State.created
    /// Whether a shutdown has begun. What has its turn meanwhile leaves as soon as it can.
    private var isEnding = false
    /// The start, reloads and the end run one after another.
    private let turns = TurnQueue()
    /// Removed routes whose streams still carry something.
    private var draining: [ObjectIdentifier: RunningRoute] = [:]

    /// Makes the engine, the registry, the log and the exporter. Nothing listens yet.
    public init(_ configuration: Configuration, options: Options = Options()) throws(ProxyError) {
        self.configuration = configuration
        limits = LimiterCache(configuration.limits.traffic)
        components = try ProxyComponents(configuration, options: options)
        access = try AccessState(configuration, components: components)
        listMetrics = AccessListMetrics(components.registry)
        let log = components.log
        logger = Logger(label: "weir") { _ in WeirLogHandler(log) }
    }

    // MARK: Outside

    /// The addresses of the exporter, with the real ports; without Unix sockets.
    public nonisolated var exporterAddresses: [SocketAddress] { components.exporter.localAddresses }

    /// Whether the process lives and should get traffic.
    public nonisolated var health: Health { components.health }

    /// A worker that has not turned for ``Health/maxTurn``, which `/healthz` names; nil while all do.
    public nonisolated var stalledWorker: Int? { components.engine.stalledWorker(after: Health.maxTurn) }

    /// How many event-loop threads carry the routes.
    public nonisolated var workerCount: Int { components.engine.workerCount }

    /// How every route stands, in the order of the configuration.
    public var reports: [RouteReport] {
        let byName = Dictionary(
            routes.values.map { ($0.configuration.name, $0.observer) }, uniquingKeysWith: { first, _ in first })
        return configuration.routes.compactMap { byName[$0.name]?.report }
    }

    /// The address that a route listens on, with the real port; nil where there is no such route.
    public func localAddress(ofRoute name: String) -> SocketAddress? {
        routes.values.first { $0.configuration.name == name }?.stream.stream.localAddress
    }

    // MARK: Start

    /// Binds every route and the exporter, and serves; or throws, and nothing is bound.
    ///
    /// A proxy starts once, also where the start failed.
    /// - Throws: ``ProxyError/alreadyStarted`` for a second call, which changes nothing; ``ProxyError/ending`` where
    ///   ``shutdown()`` was called before or meanwhile; otherwise what could not be had.
    public func start() async throws(ProxyError) {
        if isEnding { throw .ending }
        guard state == .created else { throw .alreadyStarted }
        state = .starting
        await turns.enter()
        defer { turns.leave() }
        // A shutdown that had its turn first has ended what there was; one behind this call does.
        if isEnding { throw .ending }
        do throws(ProxyError) {
            let plan = try makePlan(configuration.routes)
            let bound = try await bind(plan.added)
            do throws(ExporterError) {
                try await components.exporter.start()
            } catch {
                await release(bound)
                throw .exporter(error)
            }
            try await serve(bound)
            // Called while this ran, a shutdown waits for its turn: nothing may be left for it to overlook.
            if isEnding { throw .ending }
        } catch {
            state = .ended
            await closeEverything(drainTimeout: .zero)
            await stopComponents()
            throw error
        }
        state = .running
        listMetrics.show(access.plan.ruleCounts)
        components.metrics.configurationTaken(isReload: false)
        components.health.phase = .ready
        logger.info(
            "ready", metadata: ["routes": "\(routes.count)", "workers": "\(workerCount)", "exporter": exporterText])
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

    // MARK: Reload

    /// Goes over to another configuration: binds what is new, re-points what stays, drains what is gone. Connections
    /// and sessions at listeners that stay are not touched. Called during the start, it waits for the end of that.
    /// - Returns: what differs and cannot be reloaded.
    /// - Throws: where a new listener cannot be had; the old configuration goes on. ``ProxyError/notStarted`` before
    ///   ``start()``, and ``ProxyError/ending`` once ``shutdown()`` was called or the start has failed.
    @discardableResult
    public func apply(_ new: Configuration) async throws(ProxyError) -> [String] {
        // Not after a wait for the turn alone: the drain of a shutdown keeps its turn for long.
        if isEnding { throw .ending }
        guard state != .created else { throw .notStarted }
        await turns.enter()
        defer { turns.leave() }
        guard !isEnding, state == .running else { throw .ending }
        do throws(ProxyError) {
            try await reload(to: new)
        } catch {
            reloadFailed(["\(error)"])
            throw error
        }
        let changes = new.changes(from: configuration)
        let fixed = changes.filter(\.needsRestart).map(\.path)
        for name in fixed {
            logger.warning(
                "this setting changes only with a restart; the old value stays", metadata: ["setting": "\(name)"])
        }
        components.engine.limitSessions(to: new.limits.maxSessions)
        components.log.level = Logger.Level(new.log.level)
        components.log.format = new.log.format
        access.log?.output.format = components.log.format
        await components.exporter.update(new.exporter.access)
        // What is fixed keeps the value that is in use, so that the next reload warns again.
        configuration = new.keepingFixedSettings(of: configuration)
        listMetrics.show(access.plan.ruleCounts)
        components.metrics.configurationTaken(isReload: true)
        log(changes.filter { !$0.needsRestart })
        logger.info("configuration reloaded", metadata: ["routes": "\(routes.count)", "changes": "\(changes.count)"])
        return fixed
    }

    /// Says what has changed, a line for each setting, within a bound.
    private func log(_ changes: [SettingChange]) {
        for change in changes.prefix(Self.maxLoggedChanges) {
            logger.info(
                "setting changed",
                metadata: ["setting": "\(change.path)", "from": "\(change.old ?? "")", "to": "\(change.new ?? "")"])
        }
    }

    private static let maxLoggedChanges = 50

    /// Tells of a file that could not be used; the old configuration goes on.
    public func reloadFailed(_ errors: [String]) {
        components.metrics.reloadFailed()
        for error in errors {
            logger.error("reload failed, the old configuration goes on", metadata: ["error": "\(error)"])
        }
    }

    /// Tells of something odd in a file that was taken.
    public func warn(_ text: String) {
        logger.warning("\(text)")
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
        logger.info("stopped")
        await stopComponents()
    }

    /// Writes out what the log still holds, for at most this long: for a process that ends at once.
    public nonisolated func flushLog(within limit: Duration) {
        components.log.close(within: limit)
    }

    /// `30s`, `1500ms`.
    private static func seconds(_ duration: Duration) -> Logger.MetadataValue {
        let milliseconds = duration.clampedNanoseconds / 1_000_000
        let (whole, rest) = milliseconds.quotientAndRemainder(dividingBy: 1000)
        if rest == 0 { return .string("\(whole)s") }
        return .string("\(milliseconds)ms")
    }

    private func closeEverything(drainTimeout: Duration) async {
        let streams = routes.values.map(\.stream.stream) + draining.values.map(\.stream.stream)
        for route in routes.values { logStop(route) }
        routes = [:]
        for stream in streams { await stream.close(drainTimeout: drainTimeout) }
        // The engine ends what outlives the drain time; this bound is for what should not happen.
        await Self.withDeadline(drainTimeout + .seconds(10)) {
            for stream in streams { await stream.waitUntilClosed() }
        } onDeadline: {
            for stream in streams { await stream.kill() }
        }
    }

    private func stopComponents() async {
        await components.exporter.stop()
        await components.programs.stop()
        await components.engine.shutdown()
        if let log = access.log, log.file != nil { log.output.close(within: .seconds(2)) }
        components.log.close(within: .seconds(2))
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

    // MARK: Removed routes

    /// Keeps a stream that drains until it is empty.
    func watchDrain(of route: RunningRoute) {
        let stream = route.stream.stream
        draining[ObjectIdentifier(stream)] = route
        Task {
            await stream.waitUntilClosed()
            drained(stream)
        }
    }

    private func drained(_ stream: any WeirStream.Stream) {
        // One that was taken up again and removed again is waited for twice.
        guard let route = draining.removeValue(forKey: ObjectIdentifier(stream)) else { return }
        logger.debug("drained", metadata: ["route": "\(route.configuration.name)"])
    }

    /// The removed UDP route that still has the sockets of `key`. TCP has closed its own.
    func drainingDatagrams(at key: ListenerKey) -> (route: RunningRoute, stream: UDPStream)? {
        for route in draining.values where route.key == key {
            if case .udp(let stream) = route.stream { return (route, stream) }
        }
        return nil
    }

    /// Takes up again what drains at the address of `wanted`, if something does.
    func reopen(
        _ wanted: ReloadPlan.Entry, hooks: StreamHooks
    ) async throws(StreamError) -> ServedStream? {
        guard let (route, stream) = drainingDatagrams(at: wanted.key) else { return nil }
        if try await route.stream.reopen(wanted.route, hooks: hooks) {
            draining[ObjectIdentifier(stream)] = nil
            return route.stream
        }
        await stream.waitUntilClosed()
        return nil
    }
}
