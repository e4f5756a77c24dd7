import LinuxIO
import WeirMetrics
import WeirStream

/// Counts and logs what happens to the sessions of a UDP route. Each update goes to the shard of the session's worker:
/// no lock, no allocation, no text.
///
/// The engine holds it as long as a session lives that began under it, and so its series stay.
final class UDPRouteMetrics: RouteObserver {
    let common: RouteCommon
    let closed: LabelCounters<SessionCloseReason>
    private let active: DerivedGauge?
    private let duration: Histogram
    let unanswered: Counter
    private let moves: LabelCounters<SessionMoveReason>
    let datagrams: DirectionCounters
    let ingressDrops: LabelCounters<DropReason>
    let egressDrops: LabelCounters<DropReason>

    init(_ route: RouteDescription, registry: MetricsRegistry, log: LogOutput) {
        let registration = RouteRegistration(registry)
        let name = [route.name]
        let settings = RouteRegistration(registry)
        let common = RouteCommon(route, registration: registration, settings: settings, log: log)
        closed = LabelCounters(registration, MetricCatalogue.udpClosed, labels: name, on: route.traits)
        active = registration.derivedGauge(
            MetricCatalogue.udpActive, name, beginnings: [common.opened],
            endings: closed.summands() + common.rejected.summands())
        if let limit = route.limit { settings.gauge(MetricCatalogue.udpLimit, name).set(Int64(limit)) }
        duration = registration.histogram(MetricCatalogue.udpDuration, name)
        unanswered = registration.counter(MetricCatalogue.udpUnanswered, name)
        moves = LabelCounters(registration, MetricCatalogue.udpMoved, labels: name, on: route.traits)
        datagrams = DirectionCounters(registration, MetricCatalogue.udpDatagrams, labels: name)
        ingressDrops = LabelCounters(
            registration, MetricCatalogue.udpDrops, labels: name + [Direction.ingress.label],
            on: route.traits.union(.ingress))
        egressDrops = LabelCounters(
            registration, MetricCatalogue.udpDrops, labels: name + [Direction.egress.label],
            on: route.traits.union(.egress))
        self.common = common
    }

    deinit {
        common.log.retire()
    }

    var hooks: StreamHooks {
        StreamHooks(
            onRead: { [common] event in
                common.reads[event.direction].add(shard: event.context.worker)
                return .forward
            },
            observer: self)
    }

    var report: RouteReport {
        var report = common.report
        report.active = active?.value ?? 0
        report.dropped = ingressDrops.total + egressDrops.total
        for upstream in common.upstreams {
            for (reason, count) in upstream.errors?.counts ?? [] {
                report.failures[reason.label, default: 0] += count
            }
        }
        return report
    }

    // MARK: What the engine tells

    func forwarded(_ context: StreamContext, direction: Direction, datagrams count: Int, byteCount: Int) {
        datagrams[direction].add(UInt64(count), shard: context.worker)
        common.bytes[direction].add(UInt64(byteCount), shard: context.worker)
        common.countUpstreamBytes(context, direction, byteCount)
    }

    func dropped(_ context: StreamContext?, direction: Direction, reason: DropReason, datagrams count: Int, worker: Int)
    {
        let drops = direction == .ingress ? ingressDrops : egressDrops
        drops[reason].add(UInt64(count), shard: worker)
    }

    func upstreamFailed(_ context: StreamContext, upstream: Int, reason: UpstreamErrorReason) {
        common.members[upstream].errors?[reason].add(shard: context.worker)
        common.log.record(.upstreamFailed(upstream: Int32(truncatingIfNeeded: upstream), reason), context)
    }

    func upstreamLeft(_ context: StreamContext, upstream: Int) {
        common.members[upstream].active.add(-1, shard: context.worker)
    }

    func moved(_ context: StreamContext, reason: SessionMoveReason) {
        moves[reason].add(shard: context.worker)
    }

    func sessionClosed(_ context: StreamContext, reason: SessionCloseReason, totals: FlowTotals) {
        context.giveBack()
        let nanoseconds = totals.duration.clampedNanoseconds
        // The engine names the upstream only where `dialed` was told.
        if let upstream = totals.upstream { common.members[upstream].active.add(-1, shard: context.worker) }
        if totals.ingressDatagrams > 0, totals.egressDatagrams == 0 { unanswered.add(shard: context.worker) }
        duration.observe(raw: nanoseconds, shard: context.worker)
        closed[reason].add(shard: context.worker)
        common.log.record(
            .sessionClosed(
                reason,
                LogRecord.Flow(
                    nanoseconds: nanoseconds, ingressBytes: totals.ingressBytes, egressBytes: totals.egressBytes,
                    ingressDatagrams: totals.ingressDatagrams, egressDatagrams: totals.egressDatagrams)),
            context)
    }
}
