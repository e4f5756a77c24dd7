import Glibc
import LinuxIO
import WeirAccess
import WeirConfiguration
import WeirExporter
import WeirMetrics
import WeirStream

/// The components that a proxy keeps for its whole life: engine, registry, log and exporter. A reload never changes
/// them.
struct ProxyComponents: Sendable {
    let registry: MetricsRegistry
    let engine: StreamEngine
    let log: LogOutput
    let metrics: ProcessMetrics
    let health: Health
    let exporter: Exporter
    let live = LiveBoard()
    let drains = OperatorDrains()
    let clients = ClientTables()
    let programs: PreDialPrograms
    let upstreamSets = UpstreamSets()
    let upstreamChecks: UpstreamChecks
    let members: MemberDirectory
    #if TLS
    let agent: AgentState
    #endif
    /// The reason for the number of workers, in words.
    let workersSource: String

    init(_ configuration: Configuration, options: Proxy.Options) throws(ProxyError) {
        let processors = configuration.workers.value == nil ? ProcessorCount.current : nil
        let workers = max(1, configuration.workers.value ?? processors?.count ?? 1)
        workersSource = processors?.description ?? "the setting"
        try Self.checkDescriptors(for: configuration, workers: workers)
        let registry = MetricsRegistry(
            shardCount: workers, maxSeries: configuration.exporter.maxSeries,
            retiredSeriesTTL: configuration.exporter.retiredSeriesTTL,
            nativeHistogramSchema: configuration.exporter.hasNativeHistograms
                ? configuration.exporter.nativeHistogramSchema : nil,
            wallClock: { WallClock.nanoseconds })
        let observers: (engine: EngineMetrics, exporter: ExporterMetrics)
        do throws(RegistrationError) {
            for family in MetricCatalogue.all { try registry.declare(family.descriptor) }
            observers = (try EngineMetrics(registry), try ExporterMetrics(registry))
            metrics = try ProcessMetrics(registry)
        } catch {
            throw .metrics(error)
        }
        do throws(SystemError) {
            log = try LogOutput(
                descriptor: options.logDescriptor, shardCount: workers, level: .init(configuration.log.level),
                format: configuration.log.format)
        } catch {
            throw .log(error)
        }
        programs = PreDialPrograms(log: log)
        engine = try Self.makeEngine(configuration, options, workers: workers, observer: observers.engine)
        upstreamChecks = UpstreamChecks(engine: engine, sets: upstreamSets, registry: registry)
        members = MemberDirectory()
        health = Health()
        #if TLS
        agent = AgentState(registry, engine, log)
        let paths: (any PathHandler)? = agent
        #else
        let paths: (any PathHandler)? = nil
        #endif
        exporter = try Self.makeExporter(
            configuration, registry: registry, engine: engine, health: health,
            document: StatusDocument(live: live, health: health, metrics: metrics, engine: engine, log: log),
            paths: paths,
            observer: observers.exporter)
        self.registry = registry
        // Weak: the registry keeps the callback as long as it lives, and must not keep its users alive.
        registry.onCollect { [weak registry, weak engine, weak log, weak upstreamSets, metrics, health] in
            guard let registry, let engine, let log else { return }
            upstreamSets?.refresh()
            metrics.refresh(engine: engine, log: log, registry: registry, health: health)
        }
    }

    /// Throws where the process may have too few descriptors for the routes of a configuration.
    static func checkDescriptors(for configuration: Configuration, workers: Int) throws(ProxyError) {
        let need = DescriptorNeed(listeners: configuration.routes.reduce(0) { $0 + $1.listenerCount }, workers: workers)
        let limit: Int
        do throws(StreamError) { limit = try DescriptorNeed.limit() } catch { throw .engine(error) }
        if !need.isMet(by: limit) { throw .tooFewDescriptors(limit: limit, need) }
    }

    private static func makeEngine(
        _ configuration: Configuration, _ options: Proxy.Options, workers: Int, observer: EngineMetrics
    ) throws(ProxyError) -> StreamEngine {
        var engineOptions = StreamEngine.Options(workers: workers)
        engineOptions.maxConnections = configuration.limits.maxConnections.value
        engineOptions.observer = observer
        if let resolver = options.resolver { engineOptions.resolver = resolver }
        do throws(StreamError) {
            let engine = try StreamEngine(engineOptions)
            engine.limitSessions(to: configuration.limits.maxSessions)
            return engine
        } catch {
            throw .engine(error)
        }
    }

    private static func makeExporter(
        _ configuration: Configuration, registry: MetricsRegistry, engine: StreamEngine, health: Health,
        document: sending StatusDocument, paths: (any PathHandler)?, observer: ExporterMetrics
    ) throws(ProxyError) -> Exporter {
        let section = configuration.exporter
        var settings = ExporterConfiguration(
            listen: try section.addresses(), unixSockets: section.unixSockets, access: section.access)
        settings.startPage = StartPage(html: Array(LivePage.html.utf8), policy: LivePage.policy)
        let checks = HealthChecks(
            health: { [weak engine] in
                Health.liveness(stalledWorker: engine?.stalledWorker(after: Health.maxTurn))
            },
            readiness: { health.readiness })
        do throws(ExporterError) {
            return try Exporter(
                settings, page: RegistryPage(registry), health: checks, document: document, paths: paths,
                observer: observer)
        } catch {
            throw .exporter(error)
        }
    }
}
