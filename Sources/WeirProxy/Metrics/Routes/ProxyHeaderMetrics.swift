import WeirMetrics
import WeirStream

/// The counters of a route that reads PROXY headers.
struct ProxyHeaderMetrics: Sendable {
    let read: LabelCounters<ProxyHeader.Version>
    let failed: LabelCounters<ProxyHeaderError>

    init(_ registration: RouteRegistration, _ route: RouteDescription) {
        read = LabelCounters(registration, MetricCatalogue.proxyHeaders, labels: route.labels, on: route.traits)
        failed = LabelCounters(registration, MetricCatalogue.proxyErrors, labels: route.labels, on: route.traits)
    }
}
