import LinuxIO
import Logging
import NetworkTypes
import WeirBalance
import WeirConfiguration
import WeirDocker
import WeirHealth
import WeirStream

// What happens to the upstreams of routes that have several.

extension Proxy {
    /// Adds the policy of a route that has several upstreams.
    func addPolicy(of route: RouteConfiguration, to hooks: inout StreamHooks) {
        do throws(BalanceError) {
            hooks.makeSelector = try components.upstreamSets.selector(for: route, components.registry)
        } catch {
            // No file can say it: the upstreams are then tried in their order.
            logger.error("a policy cannot be used", metadata: ["route": "\(route.name)", "error": "\(error)"])
        }
    }

    /// Acts on the news of all sets until the end.
    func followUpstreams() {
        let (sets, members) = (components.upstreamSets, components.members)
        Task {
            for await news in sets.news { await act(on: news) }
        }
        Task {
            for await lookup in members.lookups { await act(on: lookup) }
        }
        ejectionClock = Task {
            while (try? await Task.sleep(for: .seconds(1))) != nil { sets.advance() }
        }
    }

    // MARK: Members from names

    private func act(on lookup: MemberDirectory.Lookup) async {
        let known = components.members.known
        var isBehind = false
        for route in routes.values where route.memberSources.contains(lookup.source) {
            // Not by this change alone: the news of another one may have been dropped.
            if route.configuration.served(with: known) != route.served { isBehind = true }
            for (upstream, source) in zip(route.configuration.upstreams, route.memberSources)
            where source == lookup.source {
                let label = upstream.label(targetPorts: route.configuration.targetPorts)
                route.observer.membersLookedUp(label, succeeded: lookup.failure == nil)
                if lookup.isTurn, let failure = lookup.failure { log(failure, label, route.configuration) }
                if let change = lookup.change { log(change, label, route.configuration) }
            }
        }
        if isBehind { await followMembers() }
    }

    /// Serves each route with the members that its names have now.
    private func followMembers() async {
        await turns.enter()
        defer { turns.leave() }
        guard !isEnding, state == .running else { return }
        let known = components.members.known
        var isChanged = false
        for route in routes.values
        where !route.memberSources.isEmpty && route.configuration.served(with: known) != route.served {
            let entry = ReloadPlan.Entry(
                route.configuration, listen: route.entry.listen, shared: route.entry.shared, members: known)
            do throws(ProxyError) {
                try await update(route, to: entry)
                isChanged = true
            } catch {
                // A member that is a listener of ours, say: the old ones stay.
                logger.error("new members cannot be used", metadata: ["error": "\(error)"])
            }
        }
        if isChanged {
            publishRoutes()
            await checkUpstreams(routes.values.map(\.served))
        }
    }

    private func log(_ failure: AddressLookup.Failure, _ label: String, _ route: RouteConfiguration) {
        var fields = Self.fields(of: label, route)
        fields["reason"] = "\(DialFailure(failure).rawValue)"
        logger.warning("members of an upstream cannot be looked up, the last ones stay", metadata: fields)
    }

    private func log(
        _ change: (old: ResolvedMembers?, new: ResolvedMembers), _ label: String, _ route: RouteConfiguration
    ) {
        let (old, new) = (Set(change.old?.members ?? []), Set(change.new.members))
        var fields = Self.fields(of: label, route)
        fields["members"] = "\(new.count)"
        fields["new"] = Self.text(new.subtracting(old))
        fields["gone"] = Self.text(old.subtracting(new))
        logger.info("members of an upstream have changed", metadata: fields)
    }

    private static func fields(of label: String, _ route: RouteConfiguration) -> Logger.Metadata {
        ["protocol": "\(route.transport.rawValue)", "route": "\(route.name)", "upstream": "\(label)"]
    }

    /// The addresses of members, the first few where there are many.
    private static func text(_ members: Set<ResolvedMember>) -> Logger.MetadataValue {
        let addresses = members.map(\.address.description).sorted()
        let rest = addresses.count > maxLoggedMembers ? ["…"] : []
        return .string((addresses.prefix(maxLoggedMembers) + rest).joined(separator: ","))
    }

    private static let maxLoggedMembers = 16

    // MARK: Upstreams that are gone

    /// Ends what is left to upstreams of containers that are gone, before their addresses are those of others.
    func leave(_ gone: [ContainerPlan.Gone]) async {
        let streams = (Array(routes.values) + draining.values).map { ($0.configuration.name, $0.stream) }
        for (name, stream) in streams {
            let hosts = gone.filter { $0.route == name }.map { GoneHost($0.host, ports: $0.ports) }
            if !hosts.isEmpty { await stream.stream.leave(hosts) }
        }
    }

    // MARK: Checks

    /// Checks the upstreams of these routes, those that want it.
    func checkUpstreams(_ routes: [RouteConfiguration]) async {
        var encryption: [UpstreamChecks.Member: CheckEncryption] = [:]
        for route in routes where route.checkTLS != nil {
            for upstream in route.upstreams {
                encryption[UpstreamChecks.Member(route, upstream)] = checkEncryption(of: route, upstream)
            }
        }
        do throws(SystemError) {
            try await components.upstreamChecks.follow(routes, encryption: encryption, carrier: checkCarrier)
        } catch {
            logger.error("health checks cannot be made", metadata: ["error": "\(error)"])
        }
    }

    private func act(on news: UpstreamSets.News) async {
        switch news {
        case .changed(let key, let change):
            guard let route = running(key) else { return }
            log(change, route.served)
            if change.to == .down || change.to == .ejected { await end(change.member, route) }
        case .suspected(let key, let member):
            guard let route = running(key), let target = route.served.target(named: member) else { return }
            // Without a probe the suspicion ends by its time.
            guard probesRunning < Self.maxProbes else { return }
            probesRunning += 1
            Task {
                let stayedOpen = await staysOpen(target, of: route.served)
                probeEnded(key, member, stayedOpen)
            }
        }
    }

    private static let maxProbes = 32

    private func probeEnded(_ key: UpstreamSets.Key, _ member: String, _ stayedOpen: Bool) {
        probesRunning -= 1
        components.upstreamSets.set(key)?.probeEnded(
            member, stayedOpen: stayedOpen, now: MonotonicClock.system.nanoseconds)
    }

    private func running(_ key: UpstreamSets.Key) -> RunningRoute? {
        routes.values.first { UpstreamSets.Key($0.configuration) == key }
    }

    /// Closes the connections of an upstream that is out, where the route wants that.
    private func end(_ member: String, _ route: RunningRoute) async {
        guard route.configuration.selection.onDown == .close, case .tcp(let stream) = route.stream,
            let target = route.served.target(named: member)
        else { return }
        await stream.endConnections(to: target)
    }

    private func log(_ change: MemberStateChange, _ route: RouteConfiguration) {
        var fields: Logger.Metadata = [
            "protocol": "\(route.transport.rawValue)", "route": "\(route.name)", "upstream": "\(change.member)",
            "state": "\(change.to.rawValue)", "cause": "\(change.cause.rawValue)",
        ]
        if change.cause == .check, change.to == .down, let upstream = route.upstream(named: change.member),
            let outcome = components.upstreamChecks.lastFailure(of: UpstreamChecks.Member(route, upstream))
        {
            fields["check"] = "\(outcome)"
        }
        if let time = change.ejectionTime { fields["for"] = Self.seconds(time) }
        switch change.to {
        case .up: logger.info("upstream is up", metadata: fields)
        case .draining: logger.info("upstream drains", metadata: fields)
        case .ejected, .down: logger.warning("upstream is out", metadata: fields)
        }
    }
}

extension RouteConfiguration {
    /// The upstream with this text; nil where there is none.
    fileprivate func upstream(named text: String) -> UpstreamConfiguration? {
        upstreams.first { $0.text(targetPorts: targetPorts) == text }
    }

    /// The endpoint of the upstream with this text; nil where there is none.
    fileprivate func target(named text: String) -> Upstream? {
        upstream(named: text).flatMap { try? target(of: $0) }
    }
}
