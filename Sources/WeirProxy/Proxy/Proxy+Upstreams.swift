import LinuxIO
import Logging
import NetworkTypes
import WeirBalance
import WeirConfiguration
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
        let sets = components.upstreamSets
        Task {
            for await news in sets.news { await act(on: news) }
        }
        ejectionClock = Task {
            while (try? await Task.sleep(for: .seconds(1))) != nil { sets.advance() }
        }
    }

    /// Checks the upstreams of these routes, those that want it.
    func checkUpstreams(_ routes: [RouteConfiguration]) async {
        do throws(SystemError) {
            try await components.upstreamChecks.follow(routes)
        } catch {
            logger.error("health checks cannot be made", metadata: ["error": "\(error)"])
        }
    }

    private func act(on news: UpstreamSets.News) async {
        switch news {
        case .changed(let key, let change):
            guard let route = running(key) else { return }
            log(change, route.configuration)
            if change.to == .down || change.to == .ejected { await end(change.member, route) }
        case .suspected(let key, let member):
            guard let route = running(key), let target = route.configuration.target(named: member) else { return }
            // Without a probe the suspicion ends by its time.
            guard probesRunning < Self.maxProbes else { return }
            probesRunning += 1
            Task {
                let stayedOpen = await SuspectProbe.connect(to: target)
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
            let target = route.configuration.target(named: member)
        else { return }
        await stream.endConnections(to: target)
    }

    private func log(_ change: MemberStateChange, _ route: RouteConfiguration) {
        var fields: Logger.Metadata = [
            "protocol": "\(route.transport.rawValue)", "route": "\(route.name)", "upstream": "\(change.member)",
            "state": "\(change.to.rawValue)", "cause": "\(change.cause.rawValue)",
        ]
        let member = UpstreamChecks.Member(key: UpstreamSets.Key(route), name: change.member)
        if change.cause == .check, change.to == .down,
            let outcome = components.upstreamChecks.lastFailure(of: member)
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
    func target(named text: String) -> Upstream? {
        guard let index = upstreamTexts.firstIndex(of: text), let targets = try? targets else { return nil }
        return targets[index]
    }
}
