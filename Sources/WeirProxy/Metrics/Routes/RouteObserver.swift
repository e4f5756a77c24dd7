import LinuxIO
import WeirMetrics
import WeirStream

/// A route's observer: counts what the engine tells of it, and says how it stands.
protocol RouteObserver: StreamObserver, AnyObject {
    /// The hooks that make the engine tell.
    var hooks: StreamHooks { get }
    /// How the route stands. Any thread.
    var report: RouteReport { get }
    /// The counters that routes of both transports have.
    var common: RouteCommon { get }
    /// Writes the ended connections or sessions by reason, and returns their number. Any thread.
    func writeEnds(to json: inout JSONOutput) -> UInt64
    /// Writes what only routes of this transport count. Any thread.
    func writeRest(to json: inout JSONOutput)
}

extension RouteObserver {
    /// Why series are missing, if some are.
    var registrationFailure: RegistrationError? { common.registration.failure ?? common.settings.failure }

    /// Retires the gauges that show settings: the route has other ones now, or is removed. The connections and sessions
    /// that began under the old ones keep the observer, for as long as they live.
    func retireSettings() {
        for upstream in common.upstreams { upstream.retireSettings() }
        common.settings.group.retire()
    }

    // What the engine tells of connections and sessions alike.

    func opened(_ context: StreamContext) {
        common.opened.add(shard: context.worker)
        // Whose header is still to come is told of once it is there, with the client's address.
        if !context.awaitsProxyHeader { common.log.recordOpened(context) }
    }

    func proxyHeaderRead(_ context: StreamContext?, version: ProxyHeader.Version, worker: Int) {
        common.proxyHeaders?.read[version].add(shard: worker)
        if let context { common.log.recordOpened(context) }
    }

    func proxyHeaderFailed(
        _ context: StreamContext?, reason: ProxyHeaderError, excerpt: ProxyHeaderExcerpt, worker: Int
    ) {
        common.proxyHeaders?.failed[reason].add(shard: worker)
        if let context {
            common.log.record(.headerFailed(reason, excerpt), context)
        } else {
            common.log.record(.headerFailed(reason, excerpt), worker: worker)
        }
    }

    func rejected(_ context: StreamContext, reason: RejectReason) {
        context.giveBack()
        common.rejected[reason].add(shard: context.worker)
        common.log.record(.rejected(reason), context)
    }

    func preDialFinished(_ context: StreamContext, duration: Duration) {
        common.preDialDuration?.observe(raw: duration.clampedNanoseconds, shard: context.worker)
    }

    func dialed(_ context: StreamContext, upstream: Int, duration: Duration) {
        let nanoseconds = duration.clampedNanoseconds
        if context.dialCount > 1 { common.dialRetries?[.success].add(shard: context.worker) }
        common.members[upstream].dialed(duration: nanoseconds, shard: context.worker)
        common.log.record(.dialed(upstream: Int32(truncatingIfNeeded: upstream), nanoseconds: nanoseconds), context)
    }

    func dialFailed(_ context: StreamContext, upstream: Int, reason: DialFailure, detail: SystemError?) {
        if context.dialCount > 1, reason != .canceled { common.dialRetries?[.failure].add(shard: context.worker) }
        common.members[upstream].dialFailed(reason, shard: context.worker)
        common.log.record(.dialFailed(upstream: Int32(truncatingIfNeeded: upstream), reason, detail), context)
    }

    func timedOut(_ context: StreamContext, kind: TimeoutKind) {
        common.timeouts[kind].add(shard: context.worker)
        common.log.record(.timedOut(kind), context)
    }

    /// The members of an upstream's name were looked up. Any thread.
    func membersLookedUp(_ label: String, succeeded: Bool) {
        guard let index = common.route.upstreams.firstIndex(where: { $0.label == label }) else { return }
        common.upstreams[index].resolved(succeeded: succeeded)
    }

    func resolved(upstream: Int, failure: DialFailure?) {
        common.members[upstream].resolved(succeeded: failure == nil)
        guard let failure else { return }
        common.log.record(.resolveFailed(upstream: Int32(truncatingIfNeeded: upstream), failure))
    }
}

/// How a route stands, for a live table.
public struct RouteReport: Sendable, Equatable {
    /// The route's name.
    public var route: String
    /// `tcp` or `udp`.
    public var transport: String
    /// Connections or sessions now.
    public var active: Int64 = 0
    /// Connections or sessions ever.
    public var accepted: UInt64 = 0
    /// Payload bytes from clients.
    public var ingressBytes: UInt64 = 0
    /// Payload bytes from upstreams.
    public var egressBytes: UInt64 = 0
    /// Dials that failed, by reason; reasons without any are left out. For UDP also what upstreams reported.
    public var failures: [String: UInt64] = [:]
    /// Timers that fired.
    public var timeouts: UInt64 = 0
    /// Connections or sessions that were ended before a dial.
    public var rejected: UInt64 = 0
    /// The rejected clients that access rules denied.
    public var denied: UInt64 = 0
    /// Datagrams that were not forwarded.
    public var dropped: UInt64 = 0
}

/// The counters that TCP and UDP routes share, and the handle of the log.
struct RouteCommon: Sendable {
    let route: RouteDescription
    let registration: RouteRegistration
    /// The gauges that show what the route is configured to, and that go with its configuration.
    let settings: RouteRegistration
    /// Every connection or session, rejected ones included.
    let opened: Counter
    let rejected: LabelCounters<RejectReason>
    let bytes: DirectionCounters
    let reads: DirectionCounters
    let timeouts: LabelCounters<TimeoutKind>
    /// Only where there is a hook.
    let preDialDuration: Histogram?
    /// The counters of PROXY headers; nil unless the route reads them.
    let proxyHeaders: ProxyHeaderMetrics?
    /// In the order of the configuration.
    let upstreams: [UpstreamMetrics]
    /// Those of each member that the engine dials, in its order: members of one name share theirs.
    let members: [UpstreamMetrics]
    /// Only where there is another upstream to try.
    let dialRetries: LabelCounters<DialResult>?
    /// Whether the bytes of each upstream are counted.
    let countsUpstreamBytes: Bool
    let log: RouteLog

    init(_ route: RouteDescription, registration: RouteRegistration, settings: RouteRegistration, log: LogOutput) {
        self.route = route
        self.registration = registration
        self.settings = settings
        let name = [route.name]
        let (openedFamily, rejectedFamily) =
            route.transport == .tcp
            ? (MetricCatalogue.tcpAccepted, MetricCatalogue.tcpRejected)
            : (MetricCatalogue.udpOpened, MetricCatalogue.udpRejected)
        opened = registration.counter(openedFamily, name)
        rejected = LabelCounters(registration, rejectedFamily, labels: name, on: route.traits)
        bytes = DirectionCounters(registration, MetricCatalogue.bytes, labels: route.labels)
        reads = DirectionCounters(registration, MetricCatalogue.reads, labels: route.labels)
        timeouts = LabelCounters(registration, MetricCatalogue.timeouts, labels: route.labels, on: route.traits)
        preDialDuration =
            route.traits.contains(.preDial)
            ? registration.histogram(MetricCatalogue.preDialDuration, route.labels) : nil
        proxyHeaders = route.traits.contains(.proxyHeaders) ? ProxyHeaderMetrics(registration, route) : nil
        let upstreams = route.upstreams.map { UpstreamMetrics(registration, settings: settings, route, $0) }
        self.upstreams = upstreams
        members = route.members.map { upstreams[$0.upstream] }
        dialRetries =
            route.members.count > 1
            ? LabelCounters(registration, MetricCatalogue.dialRetries, labels: route.labels, on: route.traits) : nil
        countsUpstreamBytes = route.traits.contains(.upstreamSet)
        self.log = RouteLog(log, number: log.routes.insert(route.logRoute))
    }

    /// Counts the bytes of a connection or session for its upstream.
    @inline(__always)
    func countUpstreamBytes(_ context: StreamContext, _ direction: Direction, _ count: Int) {
        guard countsUpstreamBytes, let upstream = context.upstream else { return }
        members[upstream].bytes?[direction].add(UInt64(count), shard: context.worker)
    }

    /// The parts of the report that both transports have.
    var report: RouteReport {
        var report = RouteReport(route: route.name, transport: route.transport.rawValue)
        report.accepted = opened.value
        report.rejected = rejected.total
        report.denied = rejected.counts.first { $0.value == .acl }?.count ?? 0
        report.ingressBytes = bytes[.ingress].value
        report.egressBytes = bytes[.egress].value
        report.timeouts = timeouts.total
        for upstream in upstreams {
            for (reason, count) in upstream.failures.counts { report.failures[reason.label, default: 0] += count }
        }
        return report
    }
}
