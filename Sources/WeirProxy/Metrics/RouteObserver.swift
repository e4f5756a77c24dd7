import LinuxIO
import WeirMetrics
import WeirStream

/// A route's observer: counts what the engine tells of it, and says how it stands.
protocol RouteObserver: StreamObserver, AnyObject {
    /// The hooks that make the engine tell.
    var hooks: StreamHooks { get }
    /// How the route stands. Any thread.
    var report: RouteReport { get }
    /// Why series are missing, if some are.
    var registrationFailure: RegistrationError? { get }
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
    /// Datagrams that were not forwarded.
    public var dropped: UInt64 = 0
}

/// What TCP and UDP routes count in the same way, and the way into the log.
struct RouteCommon: Sendable {
    let route: RouteDescription
    let registration: RouteRegistration
    let bytes: DirectionCounters
    let reads: DirectionCounters
    let timeouts: MemberCounters<TimeoutKind>
    let upstreams: [UpstreamMetrics]
    let log: RouteLog

    init(_ route: RouteDescription, registration: RouteRegistration, log: LogOutput) {
        self.route = route
        self.registration = registration
        bytes = DirectionCounters(registration, MetricCatalogue.bytes, labels: route.labels)
        reads = DirectionCounters(registration, MetricCatalogue.reads, labels: route.labels)
        timeouts = MemberCounters(
            registration, MetricCatalogue.timeouts, labels: route.labels,
            members: RouteMembers.timeouts(route.transport, hasIdleTimeout: route.hasIdleTimeout))
        upstreams = route.upstreams.map { UpstreamMetrics(registration, route, $0) }
        self.log = RouteLog(log, number: log.routes.insert(route.logRoute))
    }

    /// The parts of the report that both transports have.
    var report: RouteReport {
        var report = RouteReport(route: route.name, transport: route.transport.rawValue)
        report.ingressBytes = bytes[.ingress].value
        report.egressBytes = bytes[.egress].value
        report.timeouts = timeouts.all.reduce(0) { $0 + $1.value }
        for upstream in upstreams {
            for reason in upstream.failures.exported {
                let count = upstream.failures[reason].value
                if count > 0 { report.failures[reason.rawValue, default: 0] += count }
            }
        }
        return report
    }
}
