import LinuxIO
import Logging
import Threading
import WeirConfiguration
import WeirDocker
import WeirMetrics
import WeirStream

/// The container engines that a process follows, and the routes that their containers ask for: a source of
/// configuration that the file's own one names. Any thread.
final class ContainerRoutes: Sendable {
    /// An element whenever the routes may be others than at the last ``compose(_:base:replacing:)``. It has one
    /// consumer.
    let changes: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation
    private let registry: MetricsRegistry
    private let logger: Logger
    private let state = Lock(State())

    private struct State {
        var settings: Configuration.Docker?
        var engines: [Engine] = []
        var planner = ContainerPlanner()
        /// Containers whose ports another program holds, until they are tried again.
        var refusals: [String: (refusal: ContainerPlanner.Refusal, until: UInt64)] = [:]
        var verdicts: [VerdictKey: ContainerVerdict] = [:]
        /// The task that waits for the next time at which something is due.
        var alarm: Task<Void, Never>?
        var hasStopped = false
    }

    private struct Engine {
        let follower: EngineFollower
        let metrics: ContainerMetrics
    }

    private struct VerdictKey: Hashable {
        let engine: String
        let id: String
    }

    /// How long a port that another program holds is left alone.
    private static let retryTime: UInt64 = 10_000_000_000

    init(registry: MetricsRegistry, logger: Logger) {
        self.registry = registry
        self.logger = logger
        // Changes that come while one is acted on are one more.
        (changes, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    private var now: UInt64 { MonotonicClock.system.nanoseconds }

    // MARK: Engines

    /// Follows the engines of a configuration from now on, and no others.
    func follow(_ settings: Configuration.Docker?) {
        let (ended, new) = state.withLock { state -> ([Engine], [EngineAccess]) in
            guard !state.hasStopped, state.settings != settings else { return ([], []) }
            let isPrefixSame = state.settings?.labelPrefix == settings?.labelPrefix
            state.settings = settings
            let wanted = settings.map { settings in settings.endpoints.map { EngineAccess($0, settings) } } ?? []
            let kept = state.engines.filter { isPrefixSame && wanted.contains($0.follower.access) }
            let ended = state.engines.filter { engine in !kept.contains { $0.follower === engine.follower } }
            state.engines = kept
            return (ended, wanted.filter { access in !kept.contains { $0.follower.access == access } })
        }
        for engine in ended { engine.follower.stop() }
        for access in new {
            // What is in force stays while an engine is asked in another way.
            let before = ended.first { $0.follower.access.endpoint.name == access.endpoint.name }
            begin(access, labelPrefix: settings?.labelPrefix ?? "", known: before?.follower.containers)
        }
    }

    private func begin(_ access: EngineAccess, labelPrefix: String, known: [Container]?) {
        let metrics = ContainerMetrics(access.endpoint.name, registry)
        do throws(SystemError) {
            let continuation = continuation
            let follower = try EngineFollower(
                access, labelPrefix: labelPrefix, known: known,
                observer: EngineLog(metrics: metrics, logger: logger, access: access)
            ) { continuation.yield() }
            state.withLock { $0.engines.append(Engine(follower: follower, metrics: metrics)) }
            try follower.start()
        } catch {
            logger.error(
                "a container engine cannot be followed",
                metadata: ["engine": "\(access.endpoint.name)", "error": "\(error)"])
        }
    }

    /// The names of engines whose containers were never listed.
    var unlisted: [String] {
        state.withLock { state in
            let listed = state.engines.filter { $0.follower.containers != nil }.map(\.follower.access.endpoint.name)
            return state.settings?.endpoints.map(\.name).filter { !listed.contains($0) } ?? []
        }
    }

    /// Lets go of all engines.
    func stop() {
        let engines = state.withLock { state in
            state.hasStopped = true
            state.alarm?.cancel()
            return state.engines
        }
        for engine in engines { engine.follower.stop() }
        continuation.finish()
    }

    /// How the engines stand.
    var live: [LiveBoard.Engine] {
        state.withLock { $0.engines }.map { $0.metrics.live($0.follower.access.endpoint.name) }
    }

    // MARK: Routes

    /// The configuration of the file with the routes of all containers that fit. `fragments` are what it was read from.
    func compose(
        _ fragments: [ConfigurationFragment], base: Configuration, replacing replaced: Configuration
    ) -> ContainerComposer.Composition {
        let time = now
        let (planner, engines, refusals) = state.withLock { state in
            state.refusals = state.refusals.filter { time < $0.value.until }
            return (state.planner, state.engines, state.refusals.mapValues(\.refusal))
        }
        let snapshots = engines.compactMap { engine in
            engine.follower.containers.map {
                EngineSnapshot(
                    engine.follower.access.endpoint, isOneOfSeveral: engines.count > 1, containers: $0)
            }
        }
        return ContainerComposer(
            fragments: fragments, base: base, replaced: replaced, planner: planner, snapshots: snapshots, now: time
        ).compose(refusals)
    }

    /// Leaves the containers of a route out for a while, because it cannot be served. False where that changes nothing.
    func refuse(_ route: String, of plan: ContainerPlan, because problem: String) -> Bool {
        guard let part = plan.parts.first(where: { $0.name == route }) else { return false }
        let until = now + Self.retryTime
        let refusal = ContainerPlanner.Refusal(.conflict, "route `\(route)`: \(problem)")
        return state.withLock { state in
            var isNew = false
            for container in part.containers where state.refusals[container] == nil {
                state.refusals[container] = (refusal, until)
                isNew = true
            }
            return isNew
        }
    }

    /// Notes that the routes of a plan are in force, and tells what has changed of containers.
    func commit(_ plan: ContainerPlan) {
        let (changed, engines) = state.withLock { state -> ([ContainerVerdict], [Engine]) in
            state.planner.commit(plan)
            let now = Dictionary(
                plan.verdicts.map { (VerdictKey(engine: $0.engine, id: $0.id), $0) }, uniquingKeysWith: { $1 })
            let changed = plan.verdicts.filter { state.verdicts[VerdictKey(engine: $0.engine, id: $0.id)] != $0 }
            state.verdicts = now
            setAlarm(&state, plan)
            return (changed, state.engines)
        }
        for engine in engines {
            let name = engine.follower.access.endpoint.name
            engine.metrics.show(plan.verdicts.filter { $0.engine == name })
            for verdict in changed where verdict.engine == name {
                if verdict.state == .error { engine.metrics.failed(verdict.reason ?? .parse) }
            }
        }
        for verdict in changed { log(verdict) }
    }

    /// Wakes when a route that outlives its containers ends, or a port is tried again.
    private func setAlarm(_ state: inout State, _ plan: ContainerPlan) {
        state.alarm?.cancel()
        state.alarm = nil
        guard !state.hasStopped,
            let due = (state.refusals.values.map(\.until) + (plan.nextEnd.map { [$0] } ?? [])).min()
        else { return }
        let pause = Duration.nanoseconds(Int64(clamping: due - min(due, now)) + 1_000_000)
        let continuation = continuation
        state.alarm = Task {
            if (try? await Task.sleep(for: pause)) != nil { continuation.yield() }
        }
    }

    private func log(_ verdict: ContainerVerdict) {
        var fields: Logger.Metadata = [
            "engine": "\(verdict.engine)", "container": "\(verdict.container)", "state": "\(verdict.state.rawValue)",
        ]
        if !verdict.routes.isEmpty { fields["routes"] = .string(verdict.routes.joined(separator: ",")) }
        if let reason = verdict.reason { fields["reason"] = "\(reason.rawValue)" }
        switch verdict.state {
        case .routed: logger.info("a container is routed", metadata: fields)
        case .notRunning, .unhealthy:
            fields["remark"] = "\(verdict.remarks.first ?? "")"
            logger.info("a container gets no clients", metadata: fields)
        case .notStream:
            fields["remark"] = "\(verdict.remarks.first ?? "")"
            logger.debug("a container is none of a route", metadata: fields)
        case .error:
            for remark in verdict.remarks {
                fields["error"] = "\(remark)"
                logger.warning("a container is left out", metadata: fields)
            }
        }
    }
}

/// Tells of one engine, in metrics and in the log.
private final class EngineLog: ContainerObserver {
    private let metrics: ContainerMetrics
    private let logger: Logger
    private let access: EngineAccess
    /// The last failure that was told: an engine that stays away is told once.
    private let told = Lock<EngineFailure?>(nil)

    init(metrics: ContainerMetrics, logger: Logger, access: EngineAccess) {
        self.metrics = metrics
        self.logger = logger
        self.access = access
    }

    private var fields: Logger.Metadata {
        ["engine": "\(access.endpoint.name)", "endpoint": "\(access.endpoint.address)"]
    }

    func connected(_ engine: String, version: String) {
        told.withLock { $0 = nil }
        metrics.show(isUp: true)
        logger.info("a container engine is followed", metadata: fields.merging(["api": "\(version)"]) { $1 })
    }

    func failed(_ engine: String, _ failure: EngineFailure, isAway: Bool) {
        metrics.failed(failure.reason)
        if isAway { metrics.show(isUp: false) }
        let isNew = told.withLock { told in
            defer { told = failure }
            return told != failure
        }
        guard isNew else { return }
        let fields = fields.merging(["reason": "\(failure.reason.rawValue)", "error": "\(failure.message)"]) { $1 }
        logger.warning(
            isAway ? "a container engine is away, its routes stay" : "a container engine cannot be understood",
            metadata: fields)
    }

    func listed(_ engine: String) { metrics.listed() }

    func sawEvent(_ engine: String) { metrics.sawEvent() }
}
