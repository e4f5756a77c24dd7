import Logging
import NetworkTypes
public import WeirConfiguration
import WeirStream

// Reloads: the change from one configuration to another, whole or not at all. One at a time (``turns``).

extension Proxy {
    /// Goes over to another configuration: binds what is new, re-points what stays, drains what is gone. Connections
    /// and sessions at listeners that stay are not touched. Called during the start, it waits for the end of that.
    /// - Returns: what differs and cannot be reloaded.
    /// - Throws: where a new listener cannot be had; the old configuration goes on. ``ProxyError/notStarted`` before
    ///   ``start()``, and ``ProxyError/ending`` once ``shutdown()`` was called or the start has failed.
    @discardableResult
    public func apply(_ new: Configuration) async throws(ProxyError) -> [String] {
        try await apply(new, tentative: [], isFollowing: false)
    }

    /// The same with routes that sources of their own supply. A route of `tentative` that cannot be had is no failed
    /// reload: the caller leaves it out. `isFollowing` says that only such routes have changed.
    func apply(
        _ new: Configuration, tentative: Set<String>, isFollowing: Bool
    ) async throws(ProxyError) -> [String] {
        // Not after a wait for the turn alone: the drain of a shutdown keeps its turn for long.
        if isEnding { throw .ending }
        guard state != .created else { throw .notStarted }
        await turns.enter()
        defer { turns.leave() }
        guard !isEnding, state == .running else { throw .ending }
        // Also after a reload that was refused: it has made new observers for what went back.
        defer { publishRoutes() }
        do throws(ProxyError) {
            try await reload(to: new)
        } catch {
            switch error {
            case .route(let name, _) where tentative.contains(name): throw error
            case .tooFewDescriptors where !tentative.isEmpty: throw error
            default: break
            }
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
        await takeAgents()
        takeTLS()
        secureExporter(configuration)
        listMetrics.show(access.plan.ruleCounts)
        if !isFollowing {
            components.metrics.configurationTaken(isReload: true)
            publishConfiguration(problem: nil)
        }
        log(changes.filter { !$0.needsRestart })
        logger.info(
            isFollowing ? "routes have followed their containers" : "configuration reloaded",
            metadata: ["routes": "\(routes.count)", "changes": "\(changes.count)"])
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
        publishConfiguration(problem: errors.first ?? "the configuration cannot be read")
        for error in errors {
            logger.error("reload failed, the old configuration goes on", metadata: ["error": "\(error)"])
        }
    }

    /// Tells of something odd in a file that was taken.
    public func warn(_ text: String) {
        logger.warning("\(text)")
    }

    // MARK: The change of routes and rules

    /// Goes over to other routes and rules, or throws and leaves everything as it was.
    private func reload(to new: Configuration) async throws(ProxyError) {
        try ProxyComponents.checkDescriptors(for: new, workers: workerCount)
        try prepareTLS(new)
        try prepareAgents(new)
        try await serveAgentPages(new)
        nextConfiguration = new
        defer { nextConfiguration = nil }
        let before = access
        access = try AccessState(new, components: components, previous: before)
        // The members of names that only the old configuration has are kept until it is gone.
        await components.members.follow(new.routes + routes.values.map(\.configuration))
        do throws(ProxyError) {
            try await reload(to: new, accessBefore: before)
        } catch {
            access.end(successor: before)
            access = before
            await components.members.follow(routes.values.map(\.configuration))
            throw error
        }
        await components.members.follow(new.routes)
        before.end(successor: access)
    }

    private func reload(to new: Configuration, accessBefore: AccessState) async throws(ProxyError) {
        let affectsAll =
            access.plan.differs(from: accessBefore.plan) || new.limits.traffic != limits.process
            || new.tls != configuration.tls
        let plan = try makePlan(new.routes, affectsAll: affectsAll)
        if plan.isEmpty { return }
        let limitsBefore = limits.process
        limits.process = new.limits.traffic
        do throws(ProxyError) {
            try await carryOut(plan, drainTimeout: new.shutdown.drainTimeout, before: (accessBefore, limitsBefore))
        } catch {
            limits.process = limitsBefore
            throw error
        }
        limits.forget(except: Set(routes.values.map(\.configuration.name)))
        let routes = routes.values.map(\.served)
        components.upstreamSets.forget(except: routes)
        await checkUpstreams(routes)
    }

    /// Carries out a plan. All that can fail comes first: every new address is bound, beside one that is given up where
    /// they overlap, and no target leads back to us. Only then do new routes serve and old ones change; routes and
    /// listeners that are removed go last. After an error the routes follow the rules of `before` again.
    private func carryOut(
        _ plan: ReloadPlan, drainTimeout: Duration, before rules: (access: AccessState, limits: TrafficLimits)
    ) async throws(ProxyError) {
        let accessNow = access
        let returning = plan.added.filter { drainingDatagrams(of: $0) != nil }
        let bound = try await bind(plan.added.filter { !returning.contains($0) }, plan: plan)
        var shared: [BoundListener] = []
        do throws(ProxyError) {
            try stage(plan)
            shared = try await bindShared(plan)
            try checkForLoops(plan, bound, shared)
        } catch {
            unstage(plan)
            await release(bound)
            await release(shared)
            throw error
        }
        let listenersBefore = listeners.mapValues(\.plan)
        let before = routes
        var done: [ReloadPlan.Entry] = []
        do throws(ProxyError) {
            try await serve(bound)
            for entry in returning { try await serveAgain(entry, plan: plan) }
            for entry in plan.updated {
                guard let running = entry.previous.flatMap({ before[$0] }) else { continue }
                try await update(running, to: entry)
                done.append(entry)
            }
            try await updateShared(plan)
            try await serve(shared)
        } catch {
            await release(shared)
            unstage(plan)
            (access, limits.process) = rules
            for entry in plan.added {
                // A route that was draining before drains again.
                guard let new = routes[entry.key], !new.isSame(as: before[entry.key]) else { continue }
                await remove(new, drainTimeout: returning.contains(entry) ? drainTimeout : .zero)
            }
            await revert(done, to: before)
            for before in listenersBefore.values { try? await update(before) }
            access = accessNow
            throw error
        }
        // Its connections are those of routes, which drain by themselves where they do not go on.
        for key in plan.removedShared { await removeShared(key, drainTimeout: Self.endlessDrain) }
        for entry in plan.updated { await dropListeners(of: entry, plan, drainTimeout: drainTimeout) }
        for route in plan.removed.compactMap({ before[$0] }) {
            await handOver(route.entry.listen, of: route, plan)
            await remove(route, drainTimeout: drainTimeout)
        }
        await endLeaving(plan)
    }

    /// For the connections of a route that goes on elsewhere in this process.
    private static let endlessDrain = Duration.seconds(365 * 86_400)

    /// Binds the new addresses of routes that go on.
    private func stage(_ plan: ReloadPlan) throws(ProxyError) {
        for entry in plan.updated {
            guard let running = entry.previous.flatMap({ routes[$0] }), running.entry.listen != entry.listen else {
                continue
            }
            do throws(StreamError) {
                try running.stream.stream.stage(entry.listen, joining: plan.joining(entry))
            } catch {
                throw .route(entry.route.name, error)
            }
        }
    }

    private func unstage(_ plan: ReloadPlan) {
        for entry in plan.updated { entry.previous.flatMap { routes[$0] }?.stream.stream.unstage() }
    }

    /// Removes the listeners of a route that it has no more. Where it shares one of them now, its connections may stay.
    private func dropListeners(of entry: ReloadPlan.Entry, _ plan: ReloadPlan, drainTimeout: Duration) async {
        guard !entry.dropped.isEmpty, let running = routes[entry.key] else { return }
        await handOver(entry.dropped, of: running, plan)
        let addresses = Set(entry.dropped.map(\.address))
        let shared = addresses.filter { entry.shared.contains(ListenerKey($0)) }
        await running.stream.stream.remove(shared, drainTimeout: Self.endlessDrain)
        await running.stream.stream.remove(addresses.subtracting(shared), drainTimeout: drainTimeout)
    }

    /// Removes UDP listeners whose address another route has taken, with their sessions: sockets of both would receive
    /// what is for one. TCP closes its sockets at once.
    private func handOver(_ listeners: [StreamListener], of route: RunningRoute, _ plan: ReloadPlan) async {
        guard case .udp(let stream) = route.stream else { return }
        let taken = Set(listeners.map(\.address).filter { plan.isTakenOver($0) })
        if !taken.isEmpty { await stream.remove(taken, drainTimeout: .zero) }
    }

    /// Ends, for the same reason, what earlier reloads have removed and other routes have taken now.
    private func endLeaving(_ plan: ReloadPlan) async {
        let present = routes.values.map(\.stream.stream) + draining.values.map(\.stream.stream)
        for stream in present {
            let taken = Set(stream.leavingAddresses.filter { plan.isTakenOver($0) })
            if !taken.isEmpty { await stream.endLeaving(taken) }
        }
        for route in draining.values {
            await handOver(route.entry.listen, of: route, plan)
        }
    }

    /// Checks that no target of a new or changed route is a listener of ours, the new ones included.
    private func checkForLoops(
        _ plan: ReloadPlan, _ bound: [BoundRoute], _ shared: [BoundListener]
    ) throws(ProxyError) {
        let running = plan.updated.compactMap { entry in
            entry.previous.flatMap { routes[$0] }.map { (entry, $0.stream) }
        }
        let checked = bound.map { ($0.entry, $0.stream) } + running
        let new = checked.flatMap { entry, stream in
            (stream.stream.localAddresses + stream.stream.stagedAddresses).filter { !$0.isUnix }.map {
                (entry.route.transport, $0)
            }
        }
        let listeners = components.engine.listeningAddresses(
            with: new + shared.map { (Transport.tcp, $0.listener.localAddress) }.filter { !$0.1.isUnix })
        for (entry, stream) in checked {
            do throws(StreamError) {
                try stream.checkForLoops(of: entry, among: listeners)
            } catch {
                throw .route(entry.route.name, error)
            }
        }
    }

    // MARK: Single routes

    /// A UDP address that comes back while its old sessions drain: the same sockets, and the sessions live on.
    private func serveAgain(_ entry: ReloadPlan.Entry, plan: ReloadPlan) async throws(ProxyError) {
        let observer = makeObserver(entry.served)
        let stream: ServedStream?
        do throws(StreamError) {
            stream = try await reopen(entry, hooks: makeHooks(entry.served, observer))
        } catch {
            throw .route(entry.route.name, error)
        }
        guard let stream else {
            try await serve(try await bind([entry], plan: plan))
            return
        }
        add(entry, stream: stream, observer: observer)
        logStart(entry.route)
    }

    /// Lets a running route go on as `entry`, at all listeners of both.
    func update(_ running: RunningRoute, to entry: ReloadPlan.Entry) async throws(ProxyError) {
        let observer = makeObserver(entry.served)
        do throws(StreamError) {
            try await running.stream.update(
                entry.served, listen: entry.listen + entry.dropped, hooks: makeHooks(entry.served, observer))
        } catch {
            // The state of the upstreams follows the configuration that goes on.
            var hooks = StreamHooks()
            addPolicy(of: running.served, to: &hooks)
            throw .route(entry.route.name, error)
        }
        running.retire()
        if running.isSame(as: routes[running.key]) { routes[running.key] = nil }
        add(entry, stream: running.stream, observer: observer)
        if running.configuration != entry.route || running.served == entry.served {
            logger.info("stream updated", metadata: Self.fields(entry.route, action: "update"))
        }
    }

    /// Points updated streams back to where they were.
    private func revert(_ entries: [ReloadPlan.Entry], to before: [RouteKey: RunningRoute]) async {
        let changed = entries.compactMap { entry in
            entry.previous.flatMap { before[$0] }.flatMap { old in routes[entry.key].map { (old, $0) } }
        }
        routes = before
        for (old, now) in changed {
            let entry = ReloadPlan.Entry(
                old.configuration, listen: old.entry.listen, shared: old.entry.shared,
                members: components.members.known)
            try? await update(now, to: entry)
        }
    }

    // MARK: Addresses that come back

    /// The removed UDP route that still has the sockets of `entry`, all of them and no others. TCP has closed its own.
    private func drainingDatagrams(of entry: ReloadPlan.Entry) -> (route: RunningRoute, stream: UDPStream)? {
        guard entry.route.transport == .udp else { return nil }
        let wanted = Dictionary(
            entry.listen.map { (ListenerKey($0.address), $0.portShift) }, uniquingKeysWith: { $1 })
        for route in draining.values {
            guard case .udp(let stream) = route.stream, route.entry.listen.count == wanted.count,
                route.entry.listen.allSatisfy({ wanted[ListenerKey($0.address)] == $0.portShift })
            else { continue }
            return (route, stream)
        }
        return nil
    }

    /// Takes up again what drains at the addresses of `wanted`, if something does.
    private func reopen(
        _ wanted: ReloadPlan.Entry, hooks: StreamHooks
    ) async throws(StreamError) -> ServedStream? {
        guard let (route, stream) = drainingDatagrams(of: wanted) else { return nil }
        if try await route.stream.reopen(wanted.served, hooks: hooks) {
            draining[ObjectIdentifier(stream)] = nil
            return route.stream
        }
        await stream.waitUntilClosed()
        return nil
    }
}
