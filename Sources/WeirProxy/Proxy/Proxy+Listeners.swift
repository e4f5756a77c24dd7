import Logging
import NetworkTypes
import WeirAccess
import WeirConfiguration
import WeirStream

/// A listener that serves the routes of a table.
struct RunningListener: Sendable {
    let listener: SharedListener
    let metrics: SharedListenerMetrics
    /// Its routes and settings.
    var plan: SharedListenerPlan
}

// Listeners that several routes share: the first bytes of a client choose its route.

extension Proxy {
    /// A shared listener whose address is taken and that is not served yet.
    struct BoundListener {
        let plan: SharedListenerPlan
        let listener: SharedListener
    }

    /// Takes the addresses of new shared listeners: of all of them, or of none.
    func bindShared(_ plan: ReloadPlan) async throws(ProxyError) -> [BoundListener] {
        var bound: [BoundListener] = []
        for shared in plan.shared where plan.isNew(shared) {
            do throws(StreamError) {
                let listener = try SharedListener(
                    shared.listen, settings: Self.settings(of: shared), engine: components.engine)
                if plan.mustJoin(shared.key) { try listener.bindBesideRemoved() } else { try listener.bind() }
                bound.append(BoundListener(plan: shared, listener: listener))
            } catch {
                await release(bound)
                throw .route(shared.first.name, error)
            }
        }
        return bound
    }

    /// Gives up shared listeners that never served.
    func release(_ bound: [BoundListener]) async {
        for item in bound { await item.listener.close(drainTimeout: .zero) }
    }

    /// Serves shared listeners, whose routes serve. Where one is refused, none of them is left.
    func serve(_ bound: [BoundListener]) async throws(ProxyError) {
        for (position, item) in bound.enumerated() {
            let metrics = SharedListenerMetrics(item.plan, registry: components.registry, log: components.log)
            do throws(ProxyError) {
                let target = try target(of: item.plan)
                let hooks = makeHooks(of: item.plan, metrics)
                do throws(StreamError) {
                    try await item.listener.serve(target, hooks: hooks)
                } catch {
                    throw .route(item.plan.first.name, error)
                }
            } catch {
                metrics.retire()
                for served in bound[..<position] { await removeShared(served.plan.key, drainTimeout: .zero) }
                await release(Array(bound[position...]))
                throw error
            }
            listeners[item.plan.key] = RunningListener(listener: item.listener, metrics: metrics, plan: item.plan)
        }
    }

    /// Lets shared listeners that stay choose among the routes of a plan.
    func updateShared(_ plan: ReloadPlan) async throws(ProxyError) {
        for shared in plan.shared where !plan.isNew(shared) { try await update(shared) }
    }

    /// Lets a shared listener that serves choose among these routes.
    func update(_ shared: SharedListenerPlan) async throws(ProxyError) {
        guard let running = listeners[shared.key] else { return }
        let target = try target(of: shared)
        do throws(StreamError) {
            try await running.listener.update(
                target, settings: Self.settings(of: shared), hooks: makeHooks(of: shared, running.metrics))
        } catch {
            throw .route(shared.first.name, error)
        }
        listeners[shared.key]?.plan = shared
    }

    /// Closes a shared listener. Its routes go on.
    func removeShared(_ key: ListenerKey, drainTimeout: Duration) async {
        guard let running = listeners.removeValue(forKey: key) else { return }
        await running.listener.close(drainTimeout: drainTimeout)
        Task {
            await running.listener.waitUntilClosed()
            running.metrics.retire()
        }
    }

    /// The routes of a shared listener, and what chooses among them.
    private func target(of shared: SharedListenerPlan) throws(ProxyError) -> ListenerTarget {
        var streams: [TCPStream] = []
        var portShifts: [UInt16] = []
        var rules: [ServerNameTable.Rule] = []
        for member in shared.members {
            guard case .tcp(let stream)? = routes[member.entry.key]?.stream else { continue }
            let claims = member.entry.route.claims
            rules.append(
                ServerNameTable.Rule(
                    names: claims.serverNames, protocols: claims.protocols, route: streams.count))
            streams.append(stream)
            portShifts.append(member.portShift)
        }
        let table: ServerNameTable
        do throws(ServerNameTable.Conflict) {
            table = try ServerNameTable(rules)
        } catch {
            throw .names(shared.listen.label, "\(error)")
        }
        let matcher: any FirstBytesMatcher =
            switch shared.first.claims.startTLS {
            case nil: table
            case .postgres: PostgresMatcher(table)
            }
        return .table(FirstBytesTable(matcher: matcher, routes: streams, portShifts: portShifts))
    }

    private static func settings(of shared: SharedListenerPlan) -> ListenerSettings {
        var settings = ListenerSettings(shared.first.tcp ?? TCPSettings())
        settings.helloTimeout = shared.first.claims.helloTimeout
        return settings
    }

    /// The hooks of clients that no route has yet. Only what holds for all routes is judged here: the
    /// limits of the process, and what is denied everywhere, as the rules of a route may let in what the default of all
    /// routes denies.
    private func makeHooks(of shared: SharedListenerPlan, _ metrics: SharedListenerMetrics) -> ListenerHooks {
        var hooks = ListenerHooks(observer: metrics)
        let trusted = IPPrefixList(shared.first.proxyProtocol.trustedProxies)
        hooks.isTrustedProxy = { trusted.contains($0) }
        if let denies = access.plan.denyEverywhere {
            hooks.admit = { !$0.isUnix && denies($0.ip) ? .reject(.acl) : .accept }
        }
        let workers = components.engine.workerCount
        if let limiter = limits.listenerLimiter(clients: components.clients, workers: workers) {
            hooks.reserve = { limiter.reserve($0) }
        }
        return hooks
    }
}
