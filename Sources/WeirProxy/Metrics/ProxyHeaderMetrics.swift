import WeirMetrics
import WeirStream

/// What a route that reads PROXY headers counts of them.
struct ProxyHeaderMetrics: Sendable {
    let read: MemberCounters<ProxyHeader.Version>
    let failed: MemberCounters<ProxyHeaderError>

    init(_ registration: RouteRegistration, _ route: RouteDescription) {
        read = MemberCounters(
            registration, MetricCatalogue.proxyHeaders, labels: [route.name],
            members: RouteMembers.proxyVersions(route.transport))
        failed = MemberCounters(
            registration, MetricCatalogue.proxyErrors, labels: [route.name],
            members: RouteMembers.proxyErrors(route.transport))
    }
}
