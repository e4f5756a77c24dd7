import WeirAccess
import WeirExporter
import WeirMetrics
import WeirStream

/// The one declaration of every metric that Weir exposes. The registry, `weir metrics` and the reference in `docs`
/// are all made from it.
public enum MetricCatalogue {
    /// Every family, in the order of the page.
    public static let all: [MetricDeclaration] =
        tcp + udp + both + upstreamSets + healthFamilies + sharedListeners + encryption + agents + tunnels
        + wholeProcess + containers
        + loops + exporter + standard

    /// The reference as a Markdown table, one family a row.
    public static var table: String {
        (["| name | type | labels | meaning |", "|---|---|---|---|"] + all.map(\.row)).joined(separator: "\n") + "\n"
    }

    /// The buckets of the catalogue, in microseconds.
    enum Buckets {
        static let dial: [UInt64] = [
            500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 3_000_000, 10_000_000,
        ]
        static let connection: [UInt64] = [
            10_000, 100_000, 1_000_000, 5_000_000, 15_000_000, 60_000_000, 300_000_000, 900_000_000, 3_600_000_000,
            14_400_000_000, 43_200_000_000, 86_400_000_000,
        ]
        static let session: [UInt64] = [
            100_000, 1_000_000, 5_000_000, 15_000_000, 30_000_000, 60_000_000, 120_000_000, 300_000_000, 900_000_000,
            3_600_000_000,
        ]
        static let lag: [UInt64] = [
            100, 500, 1000, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000,
        ]
        static let scrape: [UInt64] = [500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 500_000]
    }
}

// MARK: TCP

extension MetricCatalogue {
    static let tcpAccepted = MetricDeclaration.counter(
        "tcp_connections_accepted_total", "Connections accepted, rejected ones included.", [.route])
    static let tcpRejected = MetricDeclaration.counter(
        "tcp_connections_rejected_total", "Connections ended before a dial.",
        [.route, .of("reason", RejectReason.self, on: .tcp)])
    static let tcpClosed = MetricDeclaration.counter(
        "tcp_connections_closed_total", "Connections ended that were not rejected.",
        [.route, .of("reason", ConnectionCloseReason.self)])
    static let tcpActive = MetricDeclaration.gauge(
        "tcp_connections_active", "Connections from accept to close, dialing ones included.", [.route])
    static let tcpLimit = MetricDeclaration.gauge(
        "tcp_connections_limit", "Connections that the route may have, where max_connections is set.", [.route])
    static let tcpDuration = MetricDeclaration.histogram(
        "tcp_connection_duration_seconds", "Time from accept to close of closed connections.", [.route],
        microseconds: Buckets.connection)
    static let tcpDiscarded = MetricDeclaration.counter(
        "tcp_bytes_discarded_total", "Bytes that were read and could no longer be delivered.", [.route, .direction],
        unit: "bytes")
    static let tcpBackpressure = MetricDeclaration.counter(
        "tcp_backpressure_pauses_total", "Times that reading paused because the other side took no more.",
        [.route, .direction])
    static let acceptErrors = MetricDeclaration.counter(
        "accept_errors_total", "Failures of accept.", [.route, .of("reason", AcceptErrorReason.self)])
    static let acceptPauses = MetricDeclaration.counter(
        "accept_pauses_total", "Times that a listener stopped accepting until descriptors or connections were free.",
        [.route])

    private static let tcp = [
        tcpAccepted, tcpRejected, tcpClosed, tcpActive, tcpLimit, tcpDuration, tcpDiscarded, tcpBackpressure,
        acceptErrors, acceptPauses,
    ]
}

// MARK: UDP

extension MetricCatalogue {
    static let udpOpened = MetricDeclaration.counter(
        "udp_sessions_opened_total", "Sessions begun, rejected ones included.", [.route])
    static let udpRejected = MetricDeclaration.counter(
        "udp_sessions_rejected_total", "Sessions ended before a dial.",
        [.route, .of("reason", RejectReason.self, on: .udp)])
    static let udpClosed = MetricDeclaration.counter(
        "udp_sessions_closed_total", "Sessions ended that were not rejected.",
        [.route, .of("reason", SessionCloseReason.self)])
    static let udpActive = MetricDeclaration.gauge("udp_sessions_active", "Sessions in the table.", [.route])
    static let udpLimit = MetricDeclaration.gauge("udp_sessions_limit", "Sessions that the route may have.", [.route])
    static let udpDuration = MetricDeclaration.histogram(
        "udp_session_duration_seconds", "Time from the first datagram to the end of closed sessions.", [.route],
        microseconds: Buckets.session)
    static let udpUnanswered = MetricDeclaration.counter(
        "udp_sessions_unanswered_total", "Sessions that ended with datagrams to the upstream and none back.", [.route])
    static let udpMoved = MetricDeclaration.counter(
        "udp_sessions_moved_total", "Sessions that were connected anew in place, to or from another address.",
        [.route, .of("reason", SessionMoveReason.self)])
    static let udpDatagrams = MetricDeclaration.counter(
        "udp_datagrams_total", "Datagrams forwarded.", [.route, .direction])
    static let udpDrops = MetricDeclaration.counter(
        "udp_drops_total", "Datagrams not forwarded; never in weir_bytes_total.",
        [.route, .direction, .of("reason", DropReason.self)])
    static let udpUpstreamErrors = MetricDeclaration.counter(
        "udp_upstream_errors_total",
        "Errors that the network reported for an upstream; a UDP dial cannot fail, so this is how a dead one shows.",
        [.route, .transport, .upstream, .of("reason", UpstreamErrorReason.self)])

    private static let udp = [
        udpOpened, udpRejected, udpClosed, udpActive, udpLimit, udpDuration, udpUnanswered, udpMoved, udpDatagrams,
        udpDrops, udpUpstreamErrors,
    ]
}

// MARK: TCP and UDP

extension MetricCatalogue {
    static let bytes = MetricDeclaration.counter(
        "bytes_total", "Payload bytes read from the sender; ingress is from the client to the upstream.",
        [.route, .transport, .direction], unit: "bytes")
    static let reads = MetricDeclaration.counter(
        "reads_total", "Reads that brought data.", [.route, .transport, .direction])
    static let throttlePauses = MetricDeclaration.counter(
        "throttle_pauses_total", "Times that reading paused because a limit of bytes a second was reached.",
        [.route, .transport, .direction])
    static let preDialDuration = MetricDeclaration.histogram(
        "pre_dial_duration_seconds", "Time that the hook before the dial took, where there is one.",
        [.route, .transport], microseconds: Buckets.dial)
    static let dials = MetricDeclaration.counter(
        "dials_total", "Dials that ended, successful or not; once per dial, not per address.",
        [.route, .transport, .upstream])
    static let dialFailures = MetricDeclaration.counter(
        "dial_failures_total", "Dials that ended without success.",
        [.route, .transport, .upstream, .of("reason", DialFailure.self)])
    static let dialDuration = MetricDeclaration.histogram(
        "dial_duration_seconds", "Time of successful TCP dials, name included.", [.route, .transport, .upstream],
        microseconds: Buckets.dial)
    static let upstreamActive = MetricDeclaration.gauge(
        "upstream_connections_active", "Connections or sessions that have reached the upstream.",
        [.route, .transport, .upstream])
    static let resolves = MetricDeclaration.counter(
        "upstream_resolves_total", "Look-ups of the upstream's name.",
        [.route, .transport, .upstream, .of("result", ["success", "failure"])])
    static let lastResolve = MetricDeclaration.gauge(
        "upstream_last_resolve_success_timestamp_seconds", "When the upstream's name was last resolved; 0 for never.",
        [.route, .transport, .upstream], unit: "seconds", scale: .millisecondsAsSeconds)
    static let timeouts = MetricDeclaration.counter(
        "timeouts_total", "Timers that ended something; the normal end of a UDP session is none.",
        [.route, .transport, .of("kind", TimeoutKind.self)])
    static let accessDecisions = MetricDeclaration.counter(
        "acl_decisions_total", "Decisions of access rules, one for each connection or session.",
        [
            .route, .transport, .of("decision", AccessAction.self), .of("rule_kind", AccessRuleKind.self),
            .of("scope", AccessScope.self),
        ])
    static let proxyHeaders = MetricDeclaration.counter(
        "proxy_protocol_headers_total", "PROXY headers read, where a route reads them.",
        [.route, .transport, .of("version", ProxyHeader.Version.self)])
    static let proxyErrors = MetricDeclaration.counter(
        "proxy_protocol_errors_total",
        "PROXY headers refused or missing: each is a rejected connection, or a datagram dropped as error.",
        [.route, .transport, .of("reason", ProxyHeaderError.self)])
    static let routeInfo = MetricDeclaration.gauge(
        "route_info", "1 for each configured route; 0 for one that a reload took away.", [.route, .transport, .listen])

    private static let both = [
        bytes, reads, throttlePauses, preDialDuration, dials, dialFailures, dialDuration, upstreamActive, resolves,
        lastResolve, timeouts, accessDecisions, proxyHeaders, proxyErrors, routeInfo,
    ]
}
