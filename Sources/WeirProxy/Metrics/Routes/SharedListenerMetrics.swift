import LinuxIO
import NetworkTypes
import Threading
import WeirConfiguration
import WeirMetrics
import WeirStream

/// Counts the clients of a shared listener until a route has them. Failures of accept(2) and PROXY headers, whose
/// families have the label of a route, count for the listener's first one.
final class SharedListenerMetrics: ListenerObserver {
    private let registration: RouteRegistration
    private let opened: Counter
    private let rejected: [ListenerFailure: Counter]
    private let hellos: [HelloResult: Counter]
    private let undecided: DerivedGauge?
    private let acceptErrors: LabelCounters<AcceptErrorReason>
    private let acceptPauses: Counter
    private let headers: ProxyHeaderMetrics?
    private let log: RouteLog

    init(_ listener: SharedListenerPlan, registry: MetricsRegistry, log: LogOutput) {
        let route = listener.first
        let registration = RouteRegistration(registry)
        self.registration = registration
        let labels = [listener.listen.label]
        opened = registration.counter(MetricCatalogue.listenerAccepted, labels)
        var rejected: [ListenerFailure: Counter] = [:]
        var hellos: [HelloResult: Counter] = [:]
        for failure in ListenerFailure.allCases where HelloResult(failure) == nil {
            rejected[failure] = registration.counter(MetricCatalogue.listenerRejected, labels + [failure.rawValue])
        }
        for result in HelloResult.allCases {
            hellos[result] = registration.counter(MetricCatalogue.tlsHellos, labels + [result.rawValue])
        }
        // Every scrape adds up, as the gauge is computed in it.
        undecided = registration.derivedGauge(
            MetricCatalogue.listenerUndecided, labels, beginnings: [opened],
            endings: Array(rejected.values) + Array(hellos.values))
        self.rejected = rejected
        self.hellos = hellos
        let description = RouteDescription(route)
        acceptErrors = LabelCounters(
            registration, MetricCatalogue.acceptErrors, labels: [route.name], on: description.traits)
        acceptPauses = registration.counter(MetricCatalogue.acceptPauses, [route.name])
        headers = description.traits.contains(.proxyHeaders) ? ProxyHeaderMetrics(registration, description) : nil
        self.log = RouteLog(
            log,
            number: log.routes.insert(
                LogRoute(name: "", transport: "tcp", listen: listener.listen.label, upstreams: [])))
    }

    /// The listener is closed, and no client of it is left.
    func retire() {
        registration.group.retire()
        log.retire()
    }

    func accepted(worker: Int) {
        opened.add(shard: worker)
    }

    func decided(route: Int, by result: FirstBytesResult?, worker: Int) {
        hellos[HelloResult(result)]?.add(shard: worker)
    }

    func failed(_ reason: ListenerFailure, client: SocketAddress, serverName: [UInt8]?, worker: Int) {
        if let result = HelloResult(reason) {
            hellos[result]?.add(shard: worker)
        } else {
            rejected[reason]?.add(shard: worker)
        }
        log.record(.undecided(reason), of: client, serverName: serverName, worker: worker)
    }

    func proxyHeaderRead(version: ProxyHeader.Version, worker: Int) {
        headers?.read[version].add(shard: worker)
    }

    func proxyHeaderFailed(reason: ProxyHeaderError, excerpt: ProxyHeaderExcerpt, worker: Int) {
        headers?.failed[reason].add(shard: worker)
        log.record(.headerFailed(reason, excerpt), worker: worker)
    }

    func acceptFailed(reason: AcceptErrorReason, error: SystemError, worker: Int) {
        acceptErrors[reason].add(shard: worker)
        log.record(.acceptFailed(reason, error), worker: worker)
    }

    func acceptPaused(worker: Int) {
        acceptPauses.add(shard: worker)
        log.record(.acceptPaused, worker: worker)
    }
}
