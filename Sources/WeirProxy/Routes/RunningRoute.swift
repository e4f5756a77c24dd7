import NetworkTypes
import WeirConfiguration
import WeirMetrics
import WeirStream

/// A route that is served: its configuration, its stream, and who counts for it.
struct RunningRoute: Sendable {
    /// The route as it was wanted.
    let entry: ReloadPlan.Entry
    /// See ``RouteConfiguration/memberSources``; empty where no upstream has members.
    let memberSources: [MemberSource?]
    let stream: ServedStream
    let observer: any RouteObserver
    let info: RouteInfo

    init(_ entry: ReloadPlan.Entry, stream: ServedStream, observer: any RouteObserver, info: RouteInfo) {
        self.entry = entry
        let sources = entry.route.memberSources
        memberSources = sources.allSatisfy { $0 == nil } ? [] : sources
        self.stream = stream
        self.observer = observer
        self.info = info
    }

    var key: RouteKey { entry.key }
    var configuration: RouteConfiguration { entry.route }
    /// The configuration with the members that its names have.
    var served: RouteConfiguration { entry.served }

    /// The addresses of a removed route whose sockets are still open: those of UDP, until the last session has ended.
    var openAddresses: [ListenAddress] {
        guard case .udp(let stream) = stream else { return [] }
        return entry.listen.map(\.address) + stream.leavingAddresses
    }

    /// Whether both have the same stream.
    func isSame(as other: RunningRoute?) -> Bool { stream.stream === other?.stream.stream }

    /// Retires the gauges of the configuration: the route is configured otherwise, or no more.
    func retire() {
        info.retire()
        observer.retireSettings()
    }
}

/// The `weir_route_info` series of a configured route. When the route goes it turns to 0, so that it is told apart
/// from routes that are there while retired series are still on the page.
final class RouteInfo: Sendable {
    private let gauge: Gauge
    private let group: SeriesGroup

    init(_ route: RouteDescription, registry: MetricsRegistry) {
        group = registry.group()
        let labels = route.labels + [route.listen]
        gauge =
            (try? group.gauge(MetricCatalogue.routeInfo.descriptor, labels: labels)) ?? registry.discardingGauge
        gauge.set(1)
    }

    /// The route is not configured any more.
    func retire() {
        gauge.set(0)
        group.retire()
    }
}
