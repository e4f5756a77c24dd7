import LinuxIO
import Threading
public import WeirConfiguration

/// A proxy that runs from sources of configuration: reads all of them again on SIGHUP and when one changes, and tells
/// the service manager how it stands. What `weir run` is made of.
public final class ProxyRunner: Sendable {
    /// The proxy itself.
    public let proxy: Proxy
    private let sources: [any ConfigurationSource]
    private let manager: ServiceManager?
    /// The state that the manager has: under a lock, so that no message follows the last one.
    private let told = Lock(Told())
    private let turns = Lock(Turns())
    /// Reloads, and changes of containers between them, run one after another.
    private let steps = TurnQueue()
    /// The routes of containers, beside those of the sources.
    private let containers: ContainerRoutes
    /// The state of the sources that was last taken; nil before the first reload of sources that were read elsewhere.
    private let inForce = Lock<Taken?>(nil)

    /// The fragments of the sources, and the configuration that they are without the routes of containers.
    private struct Taken {
        let fragments: [ConfigurationFragment]
        let base: Configuration
    }

    private struct Told {
        var isEnding = false
        /// Reloads that are under way.
        var reloads = 0
    }

    /// Reloads run one at a time, in the order in which they read: otherwise one that read earlier could be applied
    /// later, and the proxy would run what the file no longer says.
    private struct Turns {
        /// The reload that runs, or ran last. Its value is the outcome.
        var current: Task<ReloadOutcome, Never>?
        /// The reload that waits for it, and has not read yet.
        var next: Task<ReloadOutcome, Never>?
    }

    /// A runner for a file that was read already. `manager` is who started the process, if it wants to know.
    public convenience init(
        _ file: ConfigurationFile, loaded: ConfigurationFile.Loaded, options: Proxy.Options = Proxy.Options(),
        manager: ServiceManager? = nil
    ) throws(ProxyError) {
        let source = FileSource(file, seen: loaded.content, dependencies: loaded.dependencies)
        try self.init([source], configuration: loaded.configuration, options: options, manager: manager)
        inForce.withLock { $0 = Taken(fragments: [loaded.fragment], base: loaded.configuration) }
    }

    /// A runner for sources that were read already, together: `configuration` is what they said.
    public init(
        _ sources: [any ConfigurationSource], configuration: Configuration, options: Proxy.Options = Proxy.Options(),
        manager: ServiceManager? = nil
    ) throws(ProxyError) {
        self.sources = sources
        self.manager = manager
        proxy = try Proxy(configuration, options: options)
        let containers = ContainerRoutes(registry: proxy.components.registry, logger: proxy.logger)
        self.containers = containers
        proxy.components.live.update { $0.engines = { [weak containers] in containers?.live ?? [] } }
    }

    /// Binds everything and serves, then follows the sources.
    public func start() async throws(ProxyError) {
        let awaitsContainers = await proxy.configuration.docker != nil
        try await proxy.start(awaitingContainers: awaitsContainers)
        for source in sources {
            let changes = source.changes
            Task { [weak self] in
                for await _ in changes { await self?.reload() }
            }
            do {
                try source.start()
                // A shutdown meanwhile may have come before there was something to stop.
                if told.withLock({ $0.isEnding }) { source.stop() }
            } catch {
                await proxy.warn("the configuration is not watched, only SIGHUP reloads it: \(error)")
            }
        }
        let changes = containers.changes
        Task { [weak self] in
            for await _ in changes {
                let isComplete = self?.containers.unlisted.isEmpty == true
                await self?.followInTurn()
                if isComplete { await self?.becomeReady() }
            }
        }
        containers.follow(await proxy.configuration.docker)
        if told.withLock({ $0.isEnding }) { containers.stop() }
        guard awaitsContainers else { return notify(.ready(await proxy.summary)) }
        Task { [weak self] in
            try? await Task.sleep(for: Self.longestWaitForContainers)
            await self?.becomeReady(isLate: true)
        }
    }

    /// How long `/readyz` waits for the first list of every engine.
    private static let longestWaitForContainers = Duration.seconds(5)

    /// Tells that all routes serve, those of containers included; or, late, that there is no list of some of these.
    private func becomeReady(isLate: Bool = false) async {
        let missing = containers.unlisted.map { "`\($0)`" }.joined(separator: ", ")
        let warning =
            "ready without all routes of containers: no list of them came within "
            + "\(Self.longestWaitForContainers.components.seconds) s from \(missing)"
        guard await proxy.becomeReady(warning: isLate && !missing.isEmpty ? warning : nil) else { return }
        notify(.ready(await proxy.summary))
    }

    /// Opens log files again, reads the configuration and goes over to it. Where it cannot be used, the old one goes
    /// on.
    ///
    /// Returns when a reload has ended that began to read after this call. Calls that come while one waits share it.
    @discardableResult
    public func reload() async -> ReloadOutcome {
        let begins = told.withLock { told in
            if told.isEnding { return false }
            told.reloads += 1
            if told.reloads == 1 { send(.reloading) }
            return true
        }
        guard begins else { return ReloadOutcome(problems: ["\(ProxyError.ending)"]) }
        let outcome = await nextReload().value
        let summary = await proxy.summary
        told.withLock { told in
            told.reloads -= 1
            // Who was told of the end must not hear that all is ready behind it, nor while another reload is under way.
            if told.isEnding || told.reloads > 0 || proxy.health.phase == .awaitingContainers { return }
            let problem = outcome.problems.first
            send(.ready(problem.map { "\(summary); the last reload was refused: \($0)" } ?? summary))
        }
        return outcome
    }

    /// The reload that begins to read after now: one that waits already, or a new one behind the one that runs.
    private func nextReload() -> Task<ReloadOutcome, Never> {
        turns.withLock { turns in
            if let next = turns.next { return next }
            let current = turns.current
            let next = Task {
                _ = await current?.value
                self.turns.withLock { turns in
                    turns.current = turns.next
                    turns.next = nil
                }
                return await readAgain()
            }
            turns.next = next
            return next
        }
    }

    /// Follows the containers between reloads: one at a time with these.
    private func followInTurn() async {
        await steps.enter()
        defer { steps.leave() }
        guard !told.withLock({ $0.isEnding }) else { return }
        do throws(ConfigurationErrors) {
            let taken = try await takenOrRead()
            // Where it is refused, the proxy has said so.
            _ = try? await apply(taken, isFollowing: true)
        } catch {
            // The sources have changed, and cannot be read: their own reload tells.
            await proxy.warn("the routes of containers cannot follow: \(error.diagnostics.first?.description ?? "")")
        }
    }

    /// The last state of the sources, or that of now where they were never asked.
    private func takenOrRead() async throws(ConfigurationErrors) -> Taken {
        if let taken = inForce.withLock({ $0 }) { return taken }
        let fragments = await readSources()
        let loaded = try Configuration.load(
            fragments, rules: AccessRuleValidator(), replacing: await proxy.configuration)
        return Taken(fragments: fragments, base: loaded.configuration)
    }

    private func readSources() async -> [ConfigurationFragment] {
        var fragments: [ConfigurationFragment] = []
        for source in sources { fragments.append(await source.load()) }
        return fragments
    }

    /// Goes over to what the sources say, with the routes of containers. Of these, one that cannot be served is left
    /// out for a while.
    /// - Returns: what differs and cannot be reloaded.
    private func apply(_ taken: Taken, isFollowing: Bool) async throws(ProxyError) -> [String] {
        containers.follow(taken.base.docker)
        while true {
            let before = await proxy.configuration
            let composed = containers.compose(taken.fragments, base: taken.base, replacing: before)
            let plan = composed.plan
            do throws(ProxyError) {
                var fixed: [String] = []
                if !isFollowing || before != composed.configuration {
                    fixed = try await proxy.apply(
                        composed.configuration, tentative: Set(plan.routeNames), isFollowing: isFollowing)
                }
                await proxy.leave(plan.gone)
                containers.commit(plan)
                return fixed
            } catch {
                // Each round leaves a route out, so that there is an end.
                guard let (name, problem) = Self.obstacle(error, among: plan.routeNames),
                    containers.refuse(name, of: plan, because: problem)
                else { throw error }
            }
        }
    }

    /// The route of containers that cannot be had, and why: the one that the error names, or the newest where there are
    /// too few descriptors for all.
    private static func obstacle(_ error: ProxyError, among names: [String]) -> (name: String, problem: String)? {
        switch error {
        case .route(let name, let problem): names.contains(name) ? (name, "\(problem)") : nil
        case .tooFewDescriptors: names.last.map { ($0, "\(error)") }
        default: nil
        }
    }

    /// Applies the configuration as it is now.
    private func readAgain() async -> ReloadOutcome {
        await steps.enter()
        defer { steps.leave() }
        await proxy.reopenLogs()
        let fragments = await readSources()
        let loaded: Configuration.Loaded
        do throws(ConfigurationErrors) {
            loaded = try Configuration.load(
                fragments, rules: AccessRuleValidator(), certificates: CertificateValidator(),
                replacing: await proxy.configuration)
            for source in sources { source.follow(loaded.dependencies) }
        } catch {
            for source in sources { source.follow(error.dependencies) }
            let lines = error.diagnostics.map(\.description)
            await proxy.reloadFailed(lines)
            return ReloadOutcome(problems: lines.isEmpty ? ["the configuration cannot be read"] : lines)
        }
        for warning in loaded.warnings { await proxy.warn("\(warning)") }
        do throws(ProxyError) {
            // Logged and counted there, also where it is refused.
            let taken = Taken(fragments: fragments, base: loaded.configuration)
            let fixed = try await apply(taken, isFollowing: false)
            inForce.withLock { $0 = taken }
            return ReloadOutcome(
                warnings: loaded.warnings.map(\.description)
                    + fixed.map { "\($0) changes only with a restart; the old value stays" })
        } catch {
            return ReloadOutcome(problems: ["\(error)"])
        }
    }

    /// Drains and ends.
    public func shutdown() async {
        for source in sources { source.stop() }
        containers.stop()
        let times = await proxy.configuration.shutdown
        told.withLock { told in
            told.isEnding = true
            // What closes after the drain time takes a few seconds at most.
            send(.stopping(within: times.delay + times.drainTimeout + .seconds(15)))
        }
        await proxy.shutdown()
    }

    // MARK: Service manager

    /// How often ``pingWatchdog()`` must be called; nil where no watchdog waits.
    public var watchdogInterval: Duration? { manager?.watchdogInterval }

    /// Pings the watchdog if every worker turns. A worker that stands still keeps the ping from the manager, which may
    /// then end the process. It waits for no other thread: busy threads of the pool do not count as workers that stand
    /// still.
    public func pingWatchdog() {
        if let worker = proxy.stalledWorker {
            warn("worker \(worker) stands still, and the watchdog is left to act")
        } else {
            send(.alive)
        }
    }

    private func notify(_ notification: ServiceManager.Notification) {
        told.withLock { told in if !told.isEnding { send(notification) } }
    }

    private func send(_ notification: ServiceManager.Notification) {
        do throws(SystemError) {
            try manager?.notify(notification)
        } catch {
            warn("the service manager cannot be told: \(error)")
        }
    }

    private func warn(_ text: String) {
        Task { await proxy.warn(text) }
    }
}
