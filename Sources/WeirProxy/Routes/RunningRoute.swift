import NetworkTypes
import WeirConfiguration
import WeirMetrics
import WeirStream

/// A route that is served: its configuration, its stream, and who counts for it.
struct RunningRoute: Sendable {
    let key: RouteKey
    let configuration: RouteConfiguration
    /// The configuration with the members that its names have.
    let served: RouteConfiguration
    let stream: ServedStream
    let observer: any RouteObserver
    let info: RouteInfo

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
