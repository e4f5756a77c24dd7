import LinuxIO
import WeirMetrics
import WeirStream

/// Counts and logs what happens to the connections of a TCP route. Each update goes to the shard of the connection's
/// worker: no lock, no allocation, no text.
///
/// The engine holds it as long as a connection lives that began under it, and so its series stay.
final class TCPRouteMetrics: RouteObserver {
    let common: RouteCommon
    let closed: LabelCounters<ConnectionCloseReason>
    private let active: DerivedGauge?
    private let duration: Histogram
    let discarded: DirectionCounters
    private let backpressure: DirectionCounters
    /// Only where there is a limit that pauses.
    private let throttle: DirectionCounters?
    let acceptErrors: LabelCounters<AcceptErrorReason>
    let acceptPauses: Counter

    init(_ route: RouteDescription, registry: MetricsRegistry, log: LogOutput) {
        let registration = RouteRegistration(registry)
        let name = [route.name]
        let settings = RouteRegistration(registry)
        let common = RouteCommon(route, registration: registration, settings: settings, log: log)
        closed = LabelCounters(registration, MetricCatalogue.tcpClosed, labels: name, on: route.traits)
        active = registration.derivedGauge(
            MetricCatalogue.tcpActive, name, beginnings: [common.opened],
            endings: closed.summands() + common.rejected.summands())
        if let limit = route.limit { settings.gauge(MetricCatalogue.tcpLimit, name).set(Int64(limit)) }
        duration = registration.histogram(MetricCatalogue.tcpDuration, name)
        discarded = DirectionCounters(registration, MetricCatalogue.tcpDiscarded, labels: name)
        backpressure = DirectionCounters(registration, MetricCatalogue.tcpBackpressure, labels: name)
        throttle =
            route.traits.contains(.bandwidth)
            ? DirectionCounters(registration, MetricCatalogue.throttlePauses, labels: route.labels) : nil
        acceptErrors = LabelCounters(registration, MetricCatalogue.acceptErrors, labels: name, on: route.traits)
        acceptPauses = registration.counter(MetricCatalogue.acceptPauses, name)
        self.common = common
    }

    deinit {
        common.log.retire()
    }

    var hooks: StreamHooks {
        StreamHooks(
            onRead: { [common] event in
                let shard = event.context.worker
                common.bytes[event.direction].add(UInt64(event.byteCount), shard: shard)
                common.reads[event.direction].add(shard: shard)
                common.countUpstreamBytes(event.context, event.direction, event.byteCount)
                return .forward
            },
            observer: self)
    }

    var report: RouteReport {
        var report = common.report
        report.active = active?.value ?? 0
        return report
    }

    // MARK: What the engine tells

    func paused(_ context: StreamContext, direction: Direction, cause: PauseCause) {
        switch cause {
        case .backpressure: backpressure[direction].add(shard: context.worker)
        case .throttle: throttle?[direction].add(shard: context.worker)
        }
    }

    func discarded(_ context: StreamContext, direction: Direction, byteCount: Int) {
        discarded[direction].add(UInt64(byteCount), shard: context.worker)
    }

    func connectionClosed(_ context: StreamContext, reason: ConnectionCloseReason, totals: FlowTotals) {
        context.giveBack()
        let nanoseconds = totals.duration.clampedNanoseconds
        if let upstream = totals.upstream { common.members[upstream].active.add(-1, shard: context.worker) }
        duration.observe(raw: nanoseconds, shard: context.worker)
        closed[reason].add(shard: context.worker)
        common.log.record(
            .connectionClosed(
                reason,
                LogRecord.Flow(
                    nanoseconds: nanoseconds, ingressBytes: totals.ingressBytes, egressBytes: totals.egressBytes)),
            context)
    }

    func acceptFailed(reason: AcceptErrorReason, error: SystemError, worker: Int) {
        acceptErrors[reason].add(shard: worker)
        common.log.record(.acceptFailed(reason, error), worker: worker)
    }

    func acceptPaused(worker: Int) {
        acceptPauses.add(shard: worker)
        common.log.record(.acceptPaused, worker: worker)
    }
}
