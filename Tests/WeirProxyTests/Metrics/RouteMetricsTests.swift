import LinuxIO
import NetworkTypes
import TestSupport
import Testing
import WeirConfiguration
import WeirMetrics

@testable import WeirProxy
@testable import WeirStream

struct RouteMetricsTests {
    private let registry = MetricsRegistry(shardCount: 2)

    private func tcp(_ host: UpstreamHost = .name("localhost"), maxConnections: Int? = nil) throws -> TCPRouteMetrics {
        let route = makeRoute(
            "a", host: host, listen: 1, upstream: 22,
            settings: .tcp(TCPSettings(idleTimeout: .seconds(1), maxConnections: maxConnections)))
        return TCPRouteMetrics(RouteDescription(route), registry: registry, log: try makeSilentLog())
    }

    private func udp(_ host: UpstreamHost = .name("localhost")) throws -> UDPRouteMetrics {
        let route = makeRoute("a", scheme: .udp4, host: host, listen: 1, upstream: 53)
        return UDPRouteMetrics(RouteDescription(route), registry: registry, log: try makeSilentLog())
    }

    /// Lines of the page apart from the buckets of histograms, `weir_route_info` included.
    private func lineCount() throws -> Int {
        try scrape(registry).values.keys.filter { !$0.name.hasSuffix("_bucket") }.count
    }

    @Test("A TCP route with one upstream by name has at most 64 lines, buckets apart")
    func tcpBudget() throws {
        let metrics = try tcp(maxConnections: 5)
        let info = RouteInfo(RouteDescription(makeRoute("a", listen: 1, upstream: 22)), registry: registry)
        let count = try lineCount()
        #expect(count <= 64)
        #expect(count > 40)
        withExtendedLifetime((metrics, info)) {}
    }

    // A literal has 50, which a real page shows. A name also has three reasons for having no address, the age of its
    // answer, and moves to its other addresses.
    @Test("A UDP route with one upstream by name has at most 56 lines, buckets apart")
    func udpBudget() throws {
        let metrics = try udp()
        let info = RouteInfo(
            RouteDescription(makeRoute("a", scheme: .udp4, listen: 1, upstream: 22)), registry: registry)
        let count = try lineCount()
        #expect(count <= 56)
        #expect(count > 40)
        withExtendedLifetime((metrics, info)) {}
    }

    @Test("Every possible member is there at 0 before anything happened, and no impossible one")
    func membersAtZero() throws {
        let metrics = try tcp()
        let samples = try scrape(registry)
        for (series, value) in samples.values { #expect(value == 0, "\(series)") }
        let closed = samples.matching("weir_tcp_connections_closed_total").compactMap { $0.key.labels["reason"] }
        #expect(
            Set(closed) == [
                "client_eof", "upstream_eof", "client_reset", "upstream_reset", "idle_timeout", "half_close_timeout",
                "client_timeout", "upstream_timeout", "dial_failed", "drained", "killed", "error",
            ])
        let upstream = ["route": "a", "protocol": "tcp", "upstream": "localhost:22"]
        #expect(samples["weir_dials_total", upstream] == 0)
        // Its upstream is spoken to in clear, and behind no agent.
        let impossible: [DialFailure] = [.tls, .agent, .agentDenied]
        #expect(
            samples.matching("weir_dial_failures_total", upstream).count
                == DialFailure.allCases.count - impossible.count)
        for failure in impossible {
            let labels = upstream.merging(["reason": failure.rawValue]) { $1 }
            #expect(samples["weir_dial_failures_total", labels] == nil, "\(failure)")
        }
        let rejected = samples.matching("weir_tcp_connections_rejected_total").map { $0.key.labels["reason"] }
        #expect(Set(rejected) == ["route_limit"])
        // What is off is not there.
        #expect(samples.matching("weir_proxy_protocol_headers_total").isEmpty)
        #expect(samples.matching("weir_proxy_protocol_errors_total").isEmpty)
        #expect(samples.matching("weir_timeouts_total", ["kind": "proxy_header"]).isEmpty)
        #expect(samples["weir_tcp_connections_limit", ["route": "a"]] == nil)
        #expect(samples.matching("weir_upstream_resolves_total").count == 2)
        withExtendedLifetime(metrics) {}
    }

    private var reading: ProxyProtocolSettings {
        ProxyProtocolSettings(mode: .required)
    }

    @Test("A route that reads PROXY headers has their versions and reasons at 0, those that its transport can have")
    func proxyMembers() throws {
        let tcp = TCPRouteMetrics(
            RouteDescription(
                makeRoute(
                    "a", listen: 1, upstream: 22,
                    settings: .tcp(TCPSettings(maxConnections: 5, proxyProtocol: reading)))),
            registry: registry, log: try makeSilentLog())
        let count = try lineCount()
        #expect(count <= 64)
        let udp = UDPRouteMetrics(
            RouteDescription(
                makeRoute(
                    "b", scheme: .udp4, listen: 1, upstream: 53,
                    settings: .udp(UDPSettings(proxyProtocol: reading)))),
            registry: registry, log: try makeSilentLog())
        let samples = try scrape(registry)
        func members(_ name: String, _ label: String, _ route: String) -> Set<String> {
            Set(samples.matching(name, ["route": route]).compactMap { $0.key.labels[label] })
        }
        #expect(members("weir_proxy_protocol_headers_total", "version", "a") == ["v1", "v2"])
        #expect(members("weir_proxy_protocol_headers_total", "version", "b") == ["v2"])
        let all = Set(ProxyHeaderError.allCases.map(\.rawValue))
        #expect(members("weir_proxy_protocol_errors_total", "reason", "a") == all)
        #expect(members("weir_proxy_protocol_errors_total", "reason", "b") == all.subtracting(["timeout"]))
        #expect(samples.matching("weir_timeouts_total", ["kind": "proxy_header", "route": "a"]).count == 1)
        for (series, value) in samples.values where series.name.contains("proxy") { #expect(value == 0, "\(series)") }
        withExtendedLifetime((tcp, udp)) {}
    }

    @Test("A refused header is counted by its reason, its connection as rejected")
    func proxyHeader() throws {
        let metrics = TCPRouteMetrics(
            RouteDescription(
                makeRoute(
                    "a", listen: 1, upstream: 22,
                    settings: .tcp(TCPSettings(proxyProtocol: reading)))),
            registry: registry, log: try makeSilentLog())
        let context = try makeContext(worker: 1)
        metrics.opened(context)
        metrics.proxyHeaderRead(context, version: .v1, worker: 1)
        metrics.opened(context)
        metrics.proxyHeaderFailed(context, reason: .checksum, excerpt: ProxyHeaderExcerpt(), worker: 1)
        metrics.rejected(context, reason: .proxyProtocol)
        let samples = try scrape(registry)
        #expect(samples["weir_proxy_protocol_headers_total", ["route": "a", "protocol": "tcp", "version": "v1"]] == 1)
        #expect(samples.total("weir_proxy_protocol_headers_total") == 1)
        #expect(
            samples["weir_proxy_protocol_errors_total", ["route": "a", "protocol": "tcp", "reason": "checksum"]] == 1)
        #expect(samples.total("weir_proxy_protocol_errors_total") == 1)
        #expect(samples["weir_tcp_connections_rejected_total", ["route": "a", "reason": "proxy_protocol"]] == 1)
        #expect(samples.active("a") == 1)
    }

    @Test("An address needs no name: it has no look-ups and cannot fail to resolve")
    func literalUpstream() throws {
        let metrics = try tcp(.address(ScopedAddress(try #require(IPAddress("192.0.2.1")))))
        let samples = try scrape(registry)
        #expect(samples.matching("weir_upstream_resolves_total").isEmpty)
        #expect(samples.matching("weir_dial_failures_total", ["reason": "dns_not_found"]).isEmpty)
        #expect(samples.matching("weir_dial_failures_total", ["reason": "refused"]).count == 1)
        withExtendedLifetime(metrics) {}
    }

    @Test("A connection is accepted, dialed, read and closed, each counted once in the shard of its worker")
    func connectionLife() throws {
        let metrics = try tcp()
        let context = try makeContext(worker: 1)
        metrics.opened(context)
        #expect(try scrape(registry)["weir_tcp_connections_active", ["route": "a"]] == 1)
        metrics.dialed(context, upstream: 0, duration: .milliseconds(2))
        let labels = ["route": "a", "protocol": "tcp", "upstream": "localhost:22"]
        #expect(try scrape(registry)["weir_upstream_connections_active", labels] == 1)
        let onRead = try #require(metrics.hooks.onRead)
        let event = ReadEvent(context: context, direction: .ingress, byteCount: 100, readCount: 1)
        guard case .forward = onRead(event) else {
            Issue.record("counting must not change what happens to the bytes")
            return
        }
        metrics.connectionClosed(
            context, reason: .clientReset,
            totals: FlowTotals(
                duration: .seconds(2), ingressBytes: 100, egressBytes: 0, ingressDatagrams: 0, egressDatagrams: 0,
                upstream: 0))
        let samples = try scrape(registry)
        #expect(samples.accepted("a") == 1)
        #expect(samples.active("a") == 0)
        #expect(samples.closed("a", "client_reset") == 1 && samples.closed("a") == 1)
        #expect(samples.bytes("a", "ingress") == 100 && samples.bytes("a", "egress") == 0)
        #expect(samples["weir_reads_total", ["route": "a", "protocol": "tcp", "direction": "ingress"]] == 1)
        #expect(samples["weir_dials_total", labels] == 1)
        #expect(samples["weir_upstream_connections_active", labels] == 0)
        #expect(samples["weir_tcp_connection_duration_seconds_sum", ["route": "a"]] == 2)
        #expect(samples["weir_dial_duration_seconds_count", labels] == 1)
    }

    @Test("A failed dial counts as a dial, by its reason, and leaves no histogram entry")
    func dialFailure() throws {
        let metrics = try tcp()
        let context = try makeContext()
        metrics.opened(context)
        metrics.dialFailed(context, upstream: 0, reason: .refused, detail: nil)
        metrics.timedOut(context, kind: .dial)
        let samples = try scrape(registry)
        #expect(samples.total("weir_dials_total") == 1)
        #expect(samples.total("weir_dial_failures_total", ["reason": "refused"]) == 1)
        #expect(samples.total("weir_dial_failures_total") == 1)
        #expect(samples.total("weir_dial_duration_seconds_count") == 0)
        #expect(samples.total("weir_timeouts_total", ["kind": "dial"]) == 1)
        #expect(metrics.report.failures == ["refused": 1])
        #expect(metrics.report.active == 1)
    }

    @Test("accepted = active + closed + rejected, also where connections are rejected")
    func identity() throws {
        let metrics = try tcp(maxConnections: 1)
        for id in 0..<5 {
            let context = try makeContext(id: UInt64(id), worker: id % 2)
            metrics.opened(context)
            if id.isMultiple(of: 2) { metrics.rejected(context, reason: .routeLimit) }
        }
        let samples = try scrape(registry)
        #expect(samples.accepted("a") == 5)
        #expect(samples.total("weir_tcp_connections_rejected_total") == 3)
        #expect(samples.active("a") == 2)
        #expect(samples["weir_tcp_connections_limit", ["route": "a"]] == 1)
        #expect(metrics.report.rejected == 3)
    }

    @Test("A session counts forwarded datagrams, drops and what its upstream's network said")
    func sessionLife() throws {
        let metrics = try udp()
        let context = try makeContext(.udp)
        metrics.opened(context)
        metrics.dialed(context, upstream: 0, duration: .zero)
        metrics.forwarded(context, direction: .ingress, datagrams: 3, byteCount: 300)
        metrics.dropped(context, direction: .ingress, reason: .sendBuffer, datagrams: 2, worker: 0)
        metrics.dropped(nil, direction: .egress, reason: .tooLarge, datagrams: 1, worker: 1)
        metrics.upstreamFailed(context, upstream: 0, reason: .refused)
        metrics.sessionClosed(
            context, reason: .idle,
            totals: FlowTotals(
                duration: .seconds(30), ingressBytes: 300, egressBytes: 0, ingressDatagrams: 3, egressDatagrams: 0,
                upstream: 0))
        let samples = try scrape(registry)
        #expect(samples.total("weir_udp_sessions_opened_total") == 1)
        #expect(samples.total("weir_udp_sessions_active") == 0)
        #expect(samples.total("weir_udp_sessions_closed_total", ["reason": "idle"]) == 1)
        #expect(samples.total("weir_udp_sessions_unanswered_total") == 1)
        #expect(samples.total("weir_udp_datagrams_total", ["direction": "ingress"]) == 3)
        #expect(samples.bytes("a", "ingress") == 300)
        #expect(samples.total("weir_udp_drops_total", ["direction": "ingress", "reason": "send_buffer"]) == 2)
        #expect(samples.total("weir_udp_drops_total", ["direction": "egress", "reason": "too_large"]) == 1)
        #expect(samples.total("weir_udp_upstream_errors_total", ["reason": "refused"]) == 1)
        #expect(samples.total("weir_upstream_connections_active") == 0)
        #expect(metrics.report.dropped == 3)
        #expect(metrics.report.failures == ["refused": 1])
    }

    @Test("A route that returns under its name goes on counting where it was")
    func continuity() throws {
        var metrics: TCPRouteMetrics? = try tcp()
        metrics?.opened(try makeContext())
        metrics = nil
        #expect(try scrape(registry).accepted("a") == 1)
        metrics = try tcp(maxConnections: 7)
        metrics?.opened(try makeContext())
        #expect(try scrape(registry).accepted("a") == 2)
        #expect(metrics?.registrationFailure == nil)
    }

    @Test("Old connections count on under the configuration they began with, beside the new one")
    func overlap() throws {
        let old = try tcp()
        let context = try makeContext()
        old.opened(context)
        let new = try tcp(maxConnections: 7)
        new.opened(try makeContext(id: 2))
        old.connectionClosed(
            context, reason: .clientEOF,
            totals: FlowTotals(
                duration: .zero, ingressBytes: 0, egressBytes: 0, ingressDatagrams: 0, egressDatagrams: 0,
                upstream: nil))
        let samples = try scrape(registry)
        #expect(samples.accepted("a") == 2 && samples.closed("a") == 1 && samples.active("a") == 1)
        #expect(new.registrationFailure == nil)
    }

    @Test("Where the page is full the route counts nowhere, says so, and nothing breaks")
    func fullPage() throws {
        let small = MetricsRegistry(shardCount: 1, maxSeries: 5)
        let metrics = TCPRouteMetrics(
            RouteDescription(makeRoute("a", listen: 1, upstream: 22)), registry: small, log: try makeSilentLog())
        let context = try makeContext()
        metrics.opened(context)
        metrics.dialFailed(context, upstream: 0, reason: .refused, detail: nil)
        #expect(metrics.registrationFailure != nil)
        #expect(small.droppedSeries > 0)
    }

    @Test(
        "What only limits and hooks can bring appears with them, and active stays what it was",
        arguments: [Network.tcp4, .udp4])
    func features(scheme: Network) throws {
        let limits = TrafficLimits(
            maxConnectionsPerIP: 1, rateLimit: RateLimit(count: 1),
            bandwidth: Bandwidth(total: ByteRates(egress: 5_000)))
        let plain = makeRoute("a", scheme: scheme, listen: 1, upstream: 22)
        let limited = makeRoute(
            "a", scheme: scheme, listen: 1, upstream: 22, limits: limits, preDial: PreDialProgram(command: ["x"]))
        func observer(_ route: RouteConfiguration, _ process: TrafficLimits = TrafficLimits()) throws
            -> any RouteObserver
        {
            let description = RouteDescription(route, limits: process)
            let log = try makeSilentLog()
            return description.transport == .tcp
                ? TCPRouteMetrics(description, registry: registry, log: log)
                : UDPRouteMetrics(description, registry: registry, log: log)
        }
        let family = scheme == .tcp4 ? "weir_tcp_connections" : "weir_udp_sessions"
        let features: Set = ["per_ip_limit", "rate_limit", "hook"]
        func reasons() throws -> Set<String> {
            Set(try scrape(registry).matching("\(family)_rejected_total").compactMap { $0.key.labels["reason"] })
        }
        let first = try observer(plain)
        #expect(try reasons().isDisjoint(with: features))
        #expect(try scrape(registry).matching("weir_udp_drops_total", ["reason": "bandwidth"]).isEmpty)
        first.opened(try makeContext())

        let second = try observer(limited)
        #expect(second.registrationFailure == nil)
        #expect(try reasons().isSuperset(of: features))
        let context = try makeContext()
        second.opened(context)
        second.timedOut(context, kind: .preDial)
        second.preDialFinished(context, duration: .milliseconds(3))
        second.paused(context, direction: .egress, cause: .throttle)
        second.rejected(context, reason: .perIPLimit)
        let samples = try scrape(registry)
        #expect(samples.total("\(family)_active") == 1)
        #expect(samples.total("\(family)_rejected_total", ["reason": "per_ip_limit"]) == 1)
        #expect(samples.timeouts("a", "pre_dial") == 1)
        let transport = scheme.transport.rawValue
        #expect(samples["weir_pre_dial_duration_seconds_count", ["route": "a", "protocol": transport]] == 1)
        #expect(samples.total("weir_throttle_pauses_total", ["direction": "egress"]) == (scheme == .tcp4 ? 1 : 0))
        #expect(samples.matching("weir_udp_drops_total", ["reason": "bandwidth"]).count == (scheme == .tcp4 ? 0 : 2))

        // The process's limits are every route's; and what has been counted stays on the page.
        let third = try observer(plain, TrafficLimits(rateLimit: RateLimit(count: 1)))
        #expect(third.registrationFailure == nil)
        #expect(try reasons().isSuperset(of: features))
        #expect(try scrape(registry).total("\(family)_active") == 1)
        withExtendedLifetime((first, second, third)) {}
    }
}
