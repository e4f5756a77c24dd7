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

    // MARK: The change of routes and rules

    /// Goes over to other routes and rules, or throws and leaves everything as it was.
    private func reload(to new: Configuration) async throws(ProxyError) {
        try ProxyComponents.checkDescriptors(for: new, workers: workerCount)
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
        let affectsAll = access.plan.differs(from: accessBefore.plan) || new.limits.traffic != limits.process
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

    /// Carries out a plan. All that can fail comes first: every new address is bound, beside a removed one where they
    /// overlap, and no target leads back to us. Only then do new routes serve and old ones change, and those that are
    /// removed go last. After an error the routes follow the rules of `before` again.
    private func carryOut(
        _ plan: ReloadPlan, drainTimeout: Duration, before rules: (access: AccessState, limits: TrafficLimits)
    ) async throws(ProxyError) {
        let accessNow = access
        let returning = plan.added.filter { drainingDatagrams(at: $0.key) != nil }
        let bound = try await bind(plan.added.filter { !returning.contains($0) }, plan: plan)
        var shared: [BoundListener] = []
        do throws(ProxyError) {
            shared = try await bindShared(plan)
            try checkForLoops(plan, bound, shared)
        } catch {
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
                try await update(entry)
                done.append(entry)
            }
            try await updateShared(plan)
            try await serve(shared)
        } catch {
            await release(shared)
            (access, limits.process) = rules
            for before in listenersBefore.values { try? await update(before) }
            for entry in plan.added {
                // A route that was draining before drains again.
                await remove(entry.key, drainTimeout: returning.contains(entry) ? drainTimeout : .zero)
            }
            await revert(done, to: before)
            access = accessNow
            throw error
        }
        // Its connections are those of routes, which drain by themselves where they do not go on.
        for key in plan.removedShared { await removeShared(key, drainTimeout: Self.endlessDrain) }
        for key in plan.removed {
            let goesOn = routes[key].map { plan.goesOn(key, $0.configuration) } ?? false
            await remove(key, drainTimeout: goesOn ? Self.endlessDrain : drainTimeout)
        }
    }

    /// For the connections of a route that goes on elsewhere in this process.
    private static let endlessDrain = Duration.seconds(365 * 86_400)

    /// Checks that no target of a new or changed route is a listener of ours, the new ones included.
    private func checkForLoops(
        _ plan: ReloadPlan, _ bound: [BoundRoute], _ shared: [BoundListener]
    ) throws(ProxyError) {
        let own = bound.filter { $0.entry.key.name == nil }
        let listeners = components.engine.listeningAddresses(
            with: own.map { ($0.entry.route.transport, $0.stream.stream.localAddress) }
                + shared.map { (Transport.tcp, $0.listener.localAddress) })
        var checked = bound.map { ($0.entry.served, $0.stream) }
        for entry in plan.updated {
            if let running = routes[entry.key] { checked.append((entry.served, running.stream)) }
        }
        for (route, stream) in checked {
            do throws(StreamError) {
                try stream.checkForLoops(of: route, among: listeners)
            } catch {
                throw .route(route.name, error)
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

    func update(_ entry: ReloadPlan.Entry) async throws(ProxyError) {
        guard let running = routes[entry.key] else { return }
        let observer = makeObserver(entry.served)
        do throws(StreamError) {
            try await running.stream.update(entry.served, hooks: makeHooks(entry.served, observer))
        } catch {
            // The state of the upstreams follows the configuration that goes on.
            var hooks = StreamHooks()
            addPolicy(of: running.served, to: &hooks)
            throw .route(entry.route.name, error)
        }
        running.retire()
        add(entry, stream: running.stream, observer: observer)
        if running.configuration != entry.route || running.served == entry.served {
            logger.info("stream updated", metadata: Self.fields(entry.route, action: "update"))
        }
    }

    /// Points updated streams back to where they were.
    private func revert(_ entries: [ReloadPlan.Entry], to before: [RouteKey: RunningRoute]) async {
        for entry in entries {
            guard let old = before[entry.key] else { continue }
            try? await update(
                ReloadPlan.Entry(key: entry.key, route: old.configuration, members: components.members.known))
        }
    }

    // MARK: Addresses that come back

    /// The removed UDP route that still has the sockets of `key`. TCP has closed its own.
    private func drainingDatagrams(at key: RouteKey) -> (route: RunningRoute, stream: UDPStream)? {
        for route in draining.values where route.key == key {
            if case .udp(let stream) = route.stream { return (route, stream) }
        }
        return nil
    }

    /// Takes up again what drains at the address of `wanted`, if something does.
    private func reopen(
        _ wanted: ReloadPlan.Entry, hooks: StreamHooks
    ) async throws(StreamError) -> ServedStream? {
        guard let (route, stream) = drainingDatagrams(at: wanted.key) else { return nil }
        if try await route.stream.reopen(wanted.served, hooks: hooks) {
            draining[ObjectIdentifier(stream)] = nil
            return route.stream
        }
        await stream.waitUntilClosed()
        return nil
    }
}
