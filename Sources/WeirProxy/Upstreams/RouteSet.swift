import Threading
import WeirBalance
import WeirConfiguration
import WeirMetrics
import WeirStream

/// The set of upstreams of one route, and its metrics.
final class RouteSet: Sendable {
    let set: UpstreamSet
    private let metrics: UpstreamSetMetrics

    init(
        _ route: RouteConfiguration, registry: MetricsRegistry, tables: MaglevTables,
        tell: AsyncStream<UpstreamSets.News>.Continuation, now: UInt64
    ) throws(BalanceError) {
        metrics = UpstreamSetMetrics(route, registry: registry, tell: tell)
        set = try UpstreamSet(
            BalanceConfiguration(route), transport: route.transport, observer: metrics, tables: tables, now: now)
        metrics.show(route)
        metrics.refresh(set.status(now: now))
    }

    /// Lays another configuration of the route over the set, and returns the maker of its selectors.
    func update(_ route: RouteConfiguration, now: UInt64) throws(BalanceError) -> StreamHooks.MakeSelector {
        let makeSelector = try set.update(BalanceConfiguration(route), now: now)
        metrics.show(route)
        metrics.refresh(set.status(now: now))
        return makeSelector
    }

    func refresh(now: UInt64) { metrics.refresh(set.status(now: now)) }

    func retire() { metrics.retire() }
}

extension BalanceConfiguration {
    /// The upstreams of a route in their order.
    init(_ route: RouteConfiguration) {
        let members = route.upstreams.map { upstream in
            BalancedMember(
                upstream.addressText(targetPorts: route.targetPorts),
                name: upstream.text(targetPorts: route.targetPorts), weight: upstream.weight,
                isBackup: upstream.isBackup, maxConnections: upstream.maxConnections, isDraining: upstream.isDraining)
        }
        let selection = route.selection
        self.init(
            members, method: selection.method, ejection: selection.ejection, slowStart: selection.slowStart,
            whenNone: selection.whenNone)
    }
}
