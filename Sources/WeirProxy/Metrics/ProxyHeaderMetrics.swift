import WeirMetrics
import WeirStream

/// What a route that reads PROXY headers counts of them.
struct ProxyHeaderMetrics: Sendable {
    let read: LabelCounters<ProxyHeader.Version>
    let failed: LabelCounters<ProxyHeaderError>

    init(_ registration: RouteRegistration, _ route: RouteDescription) {
        read = LabelCounters(registration, MetricCatalogue.proxyHeaders, labels: [route.name], on: route.traits)
        failed = LabelCounters(registration, MetricCatalogue.proxyErrors, labels: [route.name], on: route.traits)
    }
}
