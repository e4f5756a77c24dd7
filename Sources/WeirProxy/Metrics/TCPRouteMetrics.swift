import LinuxIO
import WeirMetrics
import WeirStream

/// Counts and logs what happens to the connections of a TCP route. Each update goes to the lane of the connection's
/// worker: no lock, no allocation, no text.
///
/// The engine holds it as long as a connection lives that began under it, and so its series stay.
final class TCPRouteMetrics: RouteObserver {
    private let common: RouteCommon
    private let accepted: Counter
    private let rejected: MemberCounters<RejectReason>
    private let closed: MemberCounters<ConnectionCloseReason>
    private let active: DerivedGauge?
    private let duration: Histogram
    private let discarded: DirectionCounters
    private let backpressure: DirectionCounters
    private let acceptErrors: MemberCounters<AcceptErrorReason>
    private let acceptPauses: Counter

    init(_ route: RouteDescription, registry: MetricsRegistry, log: LogOutput) {
        let registration = RouteRegistration(registry)
        let name = [route.name]
        accepted = registration.counter(MetricCatalogue.tcpAccepted, name)
        rejected = MemberCounters(
            registration, MetricCatalogue.tcpRejected, labels: name, members: RouteMembers.tcpRejectReasons)
        closed = MemberCounters(
            registration, MetricCatalogue.tcpClosed, labels: name, members: RouteMembers.connectionCloseReasons)
        active = registration.derivedGauge(
            MetricCatalogue.tcpActive, name, beginnings: [accepted], endings: closed.all + rejected.all)
        if let limit = route.limit { registration.gauge(MetricCatalogue.tcpLimit, name).set(Int64(limit)) }
        duration = registration.histogram(MetricCatalogue.tcpDuration, name)
        discarded = DirectionCounters(registration, MetricCatalogue.tcpDiscarded, labels: name)
        backpressure = DirectionCounters(registration, MetricCatalogue.tcpBackpressure, labels: name)
        acceptErrors = MemberCounters(
            registration, MetricCatalogue.acceptErrors, labels: name, members: AcceptErrorReason.allCases)
        acceptPauses = registration.counter(MetricCatalogue.acceptPauses, name)
        common = RouteCommon(route, registration: registration, log: log)
    }

    deinit {
        common.log.retire()
    }

    var registrationFailure: RegistrationError? { common.registration.failure }

    var hooks: StreamHooks {
        StreamHooks(
            onRead: { [common] event in
                let lane = event.context.worker
                common.bytes[event.direction].add(UInt64(event.byteCount), lane: lane)
                common.reads[event.direction].add(lane: lane)
                return .forward
            },
            observer: self)
    }

    var report: RouteReport {
        var report = common.report
        report.active = active?.value ?? 0
        report.accepted = accepted.value
        report.rejected = rejected.all.reduce(0) { $0 + $1.value }
        return report
    }

    // MARK: What the engine tells

    func opened(_ context: StreamContext) {
        accepted.add(lane: context.worker)
        common.log.record(.opened, context)
    }

    func rejected(_ context: StreamContext, reason: RejectReason) {
        rejected[reason].add(lane: context.worker)
        common.log.record(.rejected(reason), context)
    }

    func dialled(_ context: StreamContext, upstream: Int, duration: Duration) {
        let nanoseconds = duration.clampedNanoseconds
        common.upstreams[upstream].dialled(duration: nanoseconds, lane: context.worker)
        common.log.record(.dialled(upstream: Int32(truncatingIfNeeded: upstream), nanoseconds: nanoseconds), context)
    }

    func dialFailed(_ context: StreamContext, upstream: Int, reason: DialFailure, detail: SystemError?) {
        common.upstreams[upstream].dialFailed(reason, lane: context.worker)
        common.log.record(.dialFailed(upstream: Int32(truncatingIfNeeded: upstream), reason, detail), context)
    }

    func timedOut(_ context: StreamContext, kind: TimeoutKind) {
        common.timeouts[kind].add(lane: context.worker)
        common.log.record(.timedOut(kind), context)
    }

    func paused(_ context: StreamContext, direction: Direction, cause: PauseCause) {
        if cause == .backpressure { backpressure[direction].add(lane: context.worker) }
    }

    func discarded(_ context: StreamContext, direction: Direction, byteCount: Int) {
        discarded[direction].add(UInt64(byteCount), lane: context.worker)
    }

    func connectionClosed(_ context: StreamContext, reason: ConnectionCloseReason, totals: FlowTotals) {
        let nanoseconds = totals.duration.clampedNanoseconds
        if let upstream = totals.upstream { common.upstreams[upstream].active.add(-1, lane: context.worker) }
        duration.observe(nanoseconds: nanoseconds, lane: context.worker)
        closed[reason].add(lane: context.worker)
        common.log.record(
            .connectionClosed(
                reason,
                LogRecord.Flow(
                    nanoseconds: nanoseconds, ingressBytes: totals.ingressBytes, egressBytes: totals.egressBytes)),
            context)
    }

    func acceptFailed(reason: AcceptErrorReason, error: SystemError, worker: Int) {
        acceptErrors[reason].add(lane: worker)
        common.log.record(.acceptFailed(reason, error), worker: worker)
    }

    func acceptPaused(worker: Int) {
        acceptPauses.add(lane: worker)
        common.log.record(.acceptPaused, worker: worker)
    }

    func resolved(upstream: Int, succeeded: Bool) {
        common.upstreams[upstream].resolved(succeeded: succeeded)
        if !succeeded { common.log.record(.resolveFailed(upstream: Int32(truncatingIfNeeded: upstream))) }
    }
}
