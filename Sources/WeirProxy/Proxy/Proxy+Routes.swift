import Logging
import NetworkTypes
import WeirConfiguration
import WeirStream

// Binding, serving, re-pointing and closing of routes. All of it is isolated to the proxy, one reload at a time.

extension Proxy {
    /// A route whose address is taken and that is not served yet.
    struct BoundRoute {
        let entry: ReloadPlan.Entry
        let stream: ServedStream
    }

    func makePlan(_ wanted: [RouteConfiguration], affectsAll: Bool = false) throws(ProxyError) -> ReloadPlan {
        try ReloadPlan(running: routes.mapValues(\.configuration), wanted: wanted, affectsAll: affectsAll)
    }

    /// Takes the addresses of new routes: of all of them, or of none.
    func bind(_ entries: [ReloadPlan.Entry]) async throws(ProxyError) -> [BoundRoute] {
        var bound: [BoundRoute] = []
        for entry in entries {
            do throws(StreamError) {
                let stream = try ServedStream(entry.route, engine: components.engine)
                try stream.bind()
                bound.append(BoundRoute(entry: entry, stream: stream))
            } catch {
                await release(bound)
                throw .route(entry.route.name, error)
            }
        }
        return bound
    }

    /// Gives up addresses that were bound and never served.
    func release(_ bound: [BoundRoute]) async {
        for route in bound { await route.stream.stream.close(drainTimeout: .zero) }
    }

    /// Serves bound routes. Where one is refused (a loop, say), none of them is left.
    func serve(_ bound: [BoundRoute]) async throws(ProxyError) {
        for (position, item) in bound.enumerated() {
            let observer = makeObserver(item.entry.route)
            do throws(StreamError) {
                try await item.stream.stream.listenAndServe(hooks: makeHooks(item.entry.route, observer))
            } catch {
                for served in bound[..<position] { await remove(served.entry.key, drainTimeout: .zero) }
                await release(Array(bound[position...]))
                throw .route(item.entry.route.name, error)
            }
            add(item.entry, stream: item.stream, observer: observer)
            logStart(item.entry.route)
        }
    }

    /// Goes over to other routes and rules, or throws and leaves everything as it was.
    func reload(to new: Configuration) async throws(ProxyError) {
        let before = access
        access = try AccessState(new, components: components, previous: before)
        do throws(ProxyError) {
            try await reload(to: new, accessBefore: before)
        } catch {
            access.end(successor: before)
            access = before
            throw error
        }
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
    }

    /// Does what a plan says. Nothing is changed before every new address that can be had now is bound. What is undone
    /// follows the rules of `before` again.
    private func carryOut(
        _ plan: ReloadPlan, drainTimeout: Duration, before rules: (access: AccessState, limits: TrafficLimits)
    ) async throws(ProxyError) {
        let accessNow = access
        let returning = plan.added.filter { drainingDatagrams(at: $0.key) != nil }
        let bound = try await bind(plan.added.filter { !plan.mustWait($0) && !returning.contains($0) })
        let before = routes
        var done: [ReloadPlan.Entry] = []
        do throws(ProxyError) {
            for entry in plan.updated {
                try await update(entry)
                done.append(entry)
            }
        } catch {
            (access, limits.process) = rules
            await revert(done, to: before)
            access = accessNow
            await release(bound)
            throw error
        }
        let late = plan.added.filter { plan.mustWait($0) && !returning.contains($0) }
        do throws(ProxyError) {
            try await serve(bound)
            for entry in returning { try await serveAgain(entry) }
            // An address that overlaps one which goes (`0.0.0.0:80` for `[::]:80`) is free only when that is closed.
            for key in plan.removed { await remove(key, drainTimeout: drainTimeout) }
            try await serve(try await bind(late))
        } catch {
            for entry in plan.added {
                // What had been draining before goes on doing that.
                await remove(entry.key, drainTimeout: returning.contains(entry) ? drainTimeout : .zero)
            }
            (access, limits.process) = rules
            await revert(done, to: before)
            await restore(plan.removed, from: before)
            access = accessNow
            throw error
        }
    }

    // MARK: Single routes

    /// A UDP address that comes back while its old sessions drain: the same sockets, and the sessions live on.
    private func serveAgain(_ entry: ReloadPlan.Entry) async throws(ProxyError) {
        let observer = makeObserver(entry.route)
        let stream: ServedStream?
        do throws(StreamError) {
            stream = try await reopen(entry, hooks: makeHooks(entry.route, observer))
        } catch {
            throw .route(entry.route.name, error)
        }
        guard let stream else {
            try await serve(try await bind([entry]))
            return
        }
        add(entry, stream: stream, observer: observer)
        logStart(entry.route)
    }

    private func update(_ entry: ReloadPlan.Entry) async throws(ProxyError) {
        guard let running = routes[entry.key] else { return }
        let observer = makeObserver(entry.route)
        do throws(StreamError) {
            try await running.stream.update(entry.route, hooks: makeHooks(entry.route, observer))
        } catch {
            throw .route(entry.route.name, error)
        }
        running.info.retire()
        add(entry, stream: running.stream, observer: observer)
        logger.info("stream updated", metadata: Self.fields(entry.route, action: "update"))
    }

    /// Points updated streams back to where they were.
    private func revert(_ entries: [ReloadPlan.Entry], to before: [ListenerKey: RunningRoute]) async {
        for entry in entries {
            guard let old = before[entry.key] else { continue }
            try? await update(ReloadPlan.Entry(key: entry.key, route: old.configuration))
        }
    }

    /// Serves again what was removed in a reload that failed afterwards.
    private func restore(_ keys: [ListenerKey], from before: [ListenerKey: RunningRoute]) async {
        for key in keys where routes[key] == nil {
            guard let old = before[key] else { continue }
            let entry = ReloadPlan.Entry(key: key, route: old.configuration)
            do throws(ProxyError) {
                try await serve(try await bind([entry]))
            } catch {
                logger.error("a removed route could not be restored", metadata: ["error": "\(error)"])
            }
        }
    }

    private func remove(_ key: ListenerKey, drainTimeout: Duration) async {
        guard let route = routes.removeValue(forKey: key) else { return }
        await route.stream.stream.close(drainTimeout: drainTimeout)
        route.info.retire()
        logStop(route)
        watchDrain(of: route)
    }

    private func add(_ entry: ReloadPlan.Entry, stream: ServedStream, observer: any RouteObserver) {
        routes[entry.key] = RunningRoute(
            key: entry.key, configuration: entry.route, stream: stream, observer: observer,
            info: RouteInfo(RouteDescription(entry.route, limits: limits.process), registry: components.registry))
    }

    private func makeObserver(_ route: RouteConfiguration) -> any RouteObserver {
        var description = RouteDescription(route, limits: limits.process)
        if access.plan.policy(of: route) != nil { description.traits.insert(.accessRules) }
        let observer: any RouteObserver =
            switch description.transport {
            case .tcp: TCPRouteMetrics(description, registry: components.registry, log: components.log)
            case .udp: UDPRouteMetrics(description, registry: components.registry, log: components.log)
            }
        if let failure = observer.registrationFailure {
            logger.error(
                "metrics of a route are incomplete", metadata: ["route": "\(route.name)", "error": "\(failure)"])
        }
        return observer
    }

    // MARK: Log

    private func logStart(_ route: RouteConfiguration) {
        logger.info("stream started", metadata: Self.fields(route, action: "start"))
    }

    func logStop(_ route: RunningRoute) {
        logger.info("stream stopped", metadata: Self.fields(route.configuration, action: "stop"))
    }

    private static func fields(_ route: RouteConfiguration, action: String) -> Logger.Metadata {
        [
            "protocol": "\(route.transport.rawValue)", "route": "\(route.name)", "listen": "\(route.listenText)",
            "dst": "\(route.upstreamText)", "action": "\(action)",
        ]
    }
}
