import NetworkTypes
import WeirBalance
import WeirConfiguration
import WeirHealth
import WeirMetrics
import WeirStream

// Families of routes that choose among upstreams; other routes have none of these series.

extension MetricCatalogue {
    static let upstreamInfo = MetricDeclaration.gauge(
        "upstream_info",
        "1 for each upstream of a set: whether it is a backup, how it is checked, and the policy that chooses it.",
        [
            .route, .transport, .upstream, .of("backup", ["false", "true"]),
            .of("check", ["none"] + HealthProtocol.allCases.map(\.rawValue)),
            .of("balance", BalanceMethod.allCases.map(\.rawValue)),
        ])
    static let upstreamWeight = MetricDeclaration.gauge(
        "upstream_weight",
        "The share of clients beside the others of the set now: less during a slow start, 0 while it drains.",
        [.route, .transport, .upstream])
    static let upstreamUp = MetricDeclaration.gauge(
        "upstream_up", "1 unless a check or failures took the upstream out.", [.route, .transport, .upstream])
    static let upstreamMembers = MetricDeclaration.gauge(
        "upstream_members", "Addresses of the upstream by their state.",
        [.route, .transport, .upstream, .of("state", MemberState.self)])
    static let upstreamStateChanges = MetricDeclaration.counter(
        "upstream_state_changes_total", "Changes of an upstream's state, by the new one.",
        [
            .route, .transport, .upstream, .of("to", MemberState.self), .of("cause", StateChangeCause.self),
        ])
    static let upstreamStateChangeTime = MetricDeclaration.gauge(
        "upstream_state_change_timestamp_seconds", "When the upstream's state last changed; 0 for never.",
        [.route, .transport, .upstream], unit: "seconds", scale: .millisecondsAsSeconds)
    static let upstreamEjections = MetricDeclaration.counter(
        "upstream_ejections_total", "Times that an upstream was left out for a while, because it failed for clients.",
        [.route, .transport, .upstream, .of("reason", EjectionReason.self)])
    static let upstreamBytes = MetricDeclaration.counter(
        "upstream_bytes_total", "Payload bytes to and from an upstream of a set, as in weir_bytes_total.",
        [.route, .transport, .upstream, .direction], unit: "bytes")
    static let upstreamLimit = MetricDeclaration.gauge(
        "upstream_connections_limit",
        "Connections or sessions that the upstream may have, where its max_connections is set.",
        [.route, .transport, .upstream])
    static let dialRetries = MetricDeclaration.counter(
        "dial_retries_total", "Dials for clients whose earlier choices had failed.",
        [.route, .transport, .of("result", DialResult.self)])
    static let balanceFallbacks = MetricDeclaration.counter(
        "balance_fallbacks_total", "Clients that got another upstream than the policy prefers.",
        [.route, .transport, .of("reason", FallbackReason.self)])

    static let healthChecks = MetricDeclaration.counter(
        "health_checks_total", "Health checks that ended, once for each route that shares one.",
        [.route, .transport, .upstream, .of("result", CheckResult.allCases.map(\.rawValue))])
    static let healthCheckDuration = MetricDeclaration.histogram(
        "health_check_duration_seconds", "Time of health checks that passed, from the first packet to the answer.",
        [.route, .transport, .upstream], microseconds: Buckets.dial)
    static let healthChecksSkipped = MetricDeclaration.counter(
        "health_checks_skipped_total",
        "Health checks that were due and not made, because this machine lacks a descriptor, port or address.",
        [.route, .transport, .upstream])

    static let healthFamilies = [healthChecks, healthCheckDuration, healthChecksSkipped]

    static let upstreamSets = [
        upstreamInfo, upstreamWeight, upstreamUp, upstreamMembers, upstreamStateChanges, upstreamStateChangeTime,
        upstreamEjections, upstreamBytes, upstreamLimit, dialRetries, balanceFallbacks,
    ]
}

/// The result of a dial.
enum DialResult: String, CaseIterable, Sendable {
    case success, failure
}

extension DialResult: LabelValue {}
extension MemberState: LabelValue {}
extension FallbackReason: LabelValue {}

extension StateChangeCause: LabelValue {
    var occurrence: Occurrence {
        switch self {
        case .reset: .on(.tcp)
        case .unanswered, .networkError: .on(.udp)
        case .check, .dialFailed, .engine, .admin, .recovered: .always
        }
    }
}

extension EjectionReason: LabelValue {
    var occurrence: Occurrence { cause.occurrence }
}
