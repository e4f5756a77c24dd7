import Logging
import NetworkTypes
import WeirConfiguration
import WeirStream

// Binding, serving and closing of routes. The start, reloads and the end do it, one after another.

extension Proxy {
    /// A route whose address is taken and that is not served yet.
    struct BoundRoute {
        let entry: ReloadPlan.Entry
        let stream: ServedStream
    }

    func makePlan(_ wanted: [RouteConfiguration], affectsAll: Bool = false) throws(ProxyError) -> ReloadPlan {
        try ReloadPlan(
            running: routes.mapValues(\.entry), runningShared: Set(listeners.keys), wanted: wanted,
            affectsAll: affectsAll, members: components.members.known,
            leaving: routes.values.flatMap(\.stream.stream.leavingAddresses) + draining.values.flatMap(\.openAddresses))
    }

    /// Takes the addresses of new routes: of all of them, or of none. Those that overlap a listener which `plan`
    /// removes join it.
    func bind(_ entries: [ReloadPlan.Entry], plan: ReloadPlan) async throws(ProxyError) -> [BoundRoute] {
        var bound: [BoundRoute] = []
        for entry in entries {
            do throws(StreamError) {
                let stream = try ServedStream(
                    entry.served, listen: entry.listen, engine: components.engine)
                try stream.stream.bind(joining: plan.joining(entry))
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
            let observer = makeObserver(item.entry.served)
            do throws(StreamError) {
                try await item.stream.stream.listenAndServe(hooks: makeHooks(item.entry.served, observer))
            } catch {
                for served in bound[..<position] {
                    if let route = routes[served.entry.key] { await remove(route, drainTimeout: .zero) }
                }
                await release(Array(bound[position...]))
                throw .route(item.entry.route.name, error)
            }
            add(item.entry, stream: item.stream, observer: observer)
            logStart(item.entry.route)
        }
    }

    /// Closes a route; what it still carries drains.
    func remove(_ route: RunningRoute, drainTimeout: Duration) async {
        if route.isSame(as: routes[route.key]) { routes[route.key] = nil }
        await route.stream.stream.close(drainTimeout: drainTimeout)
        route.retire()
        logStop(route)
        watchDrain(of: route)
    }

    /// Notes a route that is served.
    func add(_ entry: ReloadPlan.Entry, stream: ServedStream, observer: any RouteObserver) {
        routes[entry.key] = RunningRoute(
            entry, stream: stream, observer: observer,
            info: RouteInfo(RouteDescription(entry.route, limits: limits.process), registry: components.registry))
    }

    /// The metrics and the log of a route.
    func makeObserver(_ route: RouteConfiguration) -> any RouteObserver {
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

    // MARK: Removed routes

    /// Keeps a stream that drains until it is empty.
    private func watchDrain(of route: RunningRoute) {
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

    // MARK: Log

    func logStart(_ route: RouteConfiguration) {
        logger.info("stream started", metadata: Self.fields(route, action: "start"))
    }

    func logStop(_ route: RunningRoute) {
        logger.info("stream stopped", metadata: Self.fields(route.configuration, action: "stop"))
    }

    static func fields(_ route: RouteConfiguration, action: String) -> Logger.Metadata {
        [
            "protocol": "\(route.transport.rawValue)", "route": "\(route.name)", "listen": "\(route.listenText)",
            "dst": "\(route.upstreamText)", "action": "\(action)",
        ]
    }
}
