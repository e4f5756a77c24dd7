import WeirMetrics

/// Series such as Weir has for TCP routes: 70 lines of counters and gauges and two histograms of 15 lines for each,
/// with names, labels and values of usual length.
struct Catalogue {
    static let linesPerRoute = 100
    private static let buckets: [UInt64] = [
        500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 3_000_000, 10_000_000,
    ]

    /// Families with one counter for each of some reasons.
    private static let byReason: [(MetricDescriptor, [String])] = [
        counter(
            "weir_tcp_connections_rejected_total", "reason",
            ["acl", "route_limit", "per_ip_limit", "rate_limit", "hook", "no_upstream", "proxy_protocol"]),
        counter(
            "weir_tcp_connections_closed_total", "reason",
            [
                "client_eof", "upstream_eof", "client_reset", "upstream_reset", "timeout", "dial_failed", "hook",
                "drained", "killed", "error",
            ]),
        counter("weir_tcp_bytes_discarded_total", "direction", ["ingress", "egress"]),
        counter("weir_tcp_backpressure_pauses_total", "direction", ["ingress", "egress"]),
        counter("weir_accept_errors_total", "reason", ["fd_limit", "memory", "aborted", "other"]),
        counter("weir_bytes_total", "direction", ["ingress", "egress"]),
        counter("weir_reads_total", "direction", ["ingress", "egress"]),
        counter("weir_dials_total", "upstream", ["backend-1.example.com:8443"]),
        counter(
            "weir_dial_failures_total", "reason",
            [
                "refused", "timeout", "unreachable", "reset", "dns_not_found", "dns_timeout", "dns_failure", "fd_limit",
                "address_unavailable", "permission", "loop", "canceled", "other",
            ]),
        counter("weir_upstream_resolves_total", "result", ["success", "failure"]),
        counter("weir_timeouts_total", "kind", ["dial", "idle", "half_close", "proxy_header", "pre_dial", "drain"]),
        counter("weir_acl_decisions_total", "rule_kind", ["ip", "cidr", "country", "timezone", "local", "default"]),
        counter(
            "weir_proxy_protocol_errors_total", "reason",
            ["missing", "malformed", "too_long", "timeout", "local", "version", "checksum", "address", "family"]),
    ]
    private static let accepted = MetricDescriptor(
        name: "weir_tcp_connections_accepted_total", help: "Connections accepted.", kind: .counter,
        labelNames: ["route"])
    private static let active = MetricDescriptor(
        name: "weir_tcp_connections_active", help: "Connections now.", kind: .gauge, labelNames: ["route"])
    private static let limits = ["weir_tcp_connections_limit", "weir_upstream_connections_active", "weir_route_info"]
        .map {
            MetricDescriptor(name: $0, help: "A gauge.", kind: .gauge, labelNames: ["route"])
        }
    private static let histograms = ["weir_tcp_connection_duration_seconds", "weir_dial_duration_seconds"].map {
        MetricDescriptor(
            name: $0, help: "A duration.", kind: .histogram(buckets: buckets), unit: "seconds",
            scale: .microsecondsAsSeconds, labelNames: ["route"])
    }

    private static func counter(_ name: String, _ label: String, _ values: [String]) -> (MetricDescriptor, [String]) {
        (
            MetricDescriptor(name: name, help: "A counter.", kind: .counter, labelNames: ["route", "protocol", label]),
            values
        )
    }

    /// Registers the series of one route in a group and counts something in every third of them.
    static func register(route: String, in registry: MetricsRegistry) throws -> SeriesGroup {
        let group = registry.group()
        var seed = UInt64(truncatingIfNeeded: route.utf8.reduce(5381) { ($0 &* 33) ^ Int($1) })
        var counters: [Counter] = []
        for (descriptor, values) in byReason {
            for value in values {
                let counter = try group.counter(descriptor, labels: [route, "tcp", value])
                counters.append(counter)
                seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                guard seed >> 62 == 0 else { continue }
                counter.add(seed >> (24 + (seed >> 40) % 32), shard: 0)
            }
        }
        let begun = try group.counter(accepted, labels: [route])
        begun.add(1_000_000, shard: 0)
        _ = try group.derivedGauge(
            active, labels: [route], beginnings: [begun], endings: Array(counters[0..<17]))
        for limit in limits { try group.gauge(limit, labels: [route]).set(1000) }
        for histogram in histograms {
            let observed = try group.histogram(histogram, labels: [route])
            for value in 0..<20 { observed.observe(raw: UInt64(value * value * 997), shard: 0) }
        }
        return group
    }
}
