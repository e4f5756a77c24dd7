import NetworkTypes
import TestSupport
import Testing
import WeirConfiguration
import WeirMetrics

@testable import WeirProxy
@testable import WeirStream

struct LabelValueTests {
    private let registry = MetricsRegistry(shardCount: 2)

    private func description(_ scheme: Network) -> RouteDescription {
        RouteDescription(makeRoute("a", scheme: scheme, listen: 1, upstream: 22))
    }

    private func tcp(_ traits: StreamTraits = []) throws -> TCPRouteMetrics {
        var route = description(.tcp4)
        route.traits.formUnion(traits)
        return TCPRouteMetrics(route, registry: registry, log: try makeSilentLog())
    }

    private func udp() throws -> UDPRouteMetrics {
        UDPRouteMetrics(description(.udp4), registry: registry, log: try makeSilentLog())
    }

    private let totals = FlowTotals(
        duration: .zero, ingressBytes: 0, egressBytes: 0, ingressDatagrams: 0, egressDatagrams: 0, upstream: nil)

    /// The values of a family's label `reason` on the page, with their counts.
    private func reasons(_ family: String) throws -> [String: Int] {
        var counts: [String: Int] = [:]
        for sample in try scrape(registry).matching(family) {
            counts[sample.key.labels["reason"] ?? ""] = Int(sample.value)
        }
        return counts
    }

    @Test func `every reason for which a TCP connection can end is counted, on a route without any feature`() throws {
        let metrics = try tcp()
        let closings = ConnectionCloseReason.allCases
        let rejections = RejectReason.allCases.filter { $0.occurrence.isConceivable(on: .tcp) }
        #expect(closings.contains(.hook) && rejections.contains(.noUpstream))
        for (index, reason) in closings.enumerated() {
            let context = try makeContext(id: UInt64(index), worker: index % 2)
            metrics.opened(context)
            metrics.connectionClosed(context, reason: reason, totals: totals)
        }
        for (index, reason) in rejections.enumerated() {
            let context = try makeContext(id: UInt64(100 + index), worker: index % 2)
            metrics.opened(context)
            metrics.rejected(context, reason: reason)
        }
        metrics.opened(try makeContext(id: 200))
        let closed = try reasons("weir_tcp_connections_closed_total")
        let rejected = try reasons("weir_tcp_connections_rejected_total")
        #expect(Set(closed.keys) == Set(closings.map(\.rawValue)) && closed.values.allSatisfy { $0 == 1 })
        #expect(Set(rejected.keys) == Set(rejections.map(\.rawValue)) && rejected.values.allSatisfy { $0 == 1 })
        let samples = try scrape(registry)
        #expect(samples.accepted("a") == closings.count + rejections.count + 1)
        #expect(samples.active("a") == 1)
        #expect(metrics.report.rejected == UInt64(rejections.count))
        #expect(metrics.registrationFailure == nil)
    }

    @Test func `every reason for which a UDP session can end is counted, on a route without any feature`() throws {
        let metrics = try udp()
        let closings = SessionCloseReason.allCases
        let rejections = RejectReason.allCases.filter { $0.occurrence.isConceivable(on: .udp) }
        #expect(closings.contains(.hook) && rejections.contains(.hook))
        for (index, reason) in closings.enumerated() {
            let context = try makeContext(.udp, id: UInt64(index), worker: index % 2)
            metrics.opened(context)
            metrics.sessionClosed(context, reason: reason, totals: totals)
        }
        for (index, reason) in rejections.enumerated() {
            let context = try makeContext(.udp, id: UInt64(100 + index), worker: index % 2)
            metrics.opened(context)
            metrics.rejected(context, reason: reason)
        }
        let closed = try reasons("weir_udp_sessions_closed_total")
        let rejected = try reasons("weir_udp_sessions_rejected_total")
        #expect(Set(closed.keys) == Set(closings.map(\.rawValue)) && closed.values.allSatisfy { $0 == 1 })
        #expect(Set(rejected.keys) == Set(rejections.map(\.rawValue)) && rejected.values.allSatisfy { $0 == 1 })
        let samples = try scrape(registry)
        #expect(samples.total("weir_udp_sessions_opened_total") == closings.count + rejections.count)
        #expect(samples.total("weir_udp_sessions_active") == 0)
    }

    @Test func `a value that needs a feature is on the page from the start where the feature is`() throws {
        let plain = try tcp()
        #expect(try reasons("weir_tcp_connections_closed_total")["hook"] == nil)
        let closing = try tcp([.closingHook, .preDial])
        #expect(try reasons("weir_tcp_connections_closed_total")["hook"] == 0)
        #expect(try reasons("weir_tcp_connections_rejected_total")["no_upstream"] == 0)
        withExtendedLifetime((plain, closing)) {}
    }

    #if DEBUG
    @Test func `a value that no route of the transport can have traps in debug builds`() async {
        await #expect(processExitsWith: .failure) {
            let metrics = try LabelValueTests().tcp()
            metrics.rejected(try makeContext(), reason: .sessionLimit)
        }
    }
    #endif

    @Test func `a value that no route of the transport can have is counted, and the sum stays right`() throws {
        let metrics = try tcp()
        let context = try makeContext(worker: 1)
        metrics.opened(context)
        metrics.common.rejected.unexpected(.sessionLimit).add(shard: 1)
        metrics.opened(context)
        metrics.common.rejected.unexpected(.sessionLimit).add(shard: 1)
        #expect(try reasons("weir_tcp_connections_rejected_total")["session_limit"] == 2)
        #expect(try scrape(registry).accepted("a") == 2)
        #expect(try scrape(registry).active("a") == 0)
        #expect(metrics.report.rejected == 2)
    }

    @Test func `where the page has no room for a value it is counted off the page, and the sum stays right`() throws {
        let probe = try tcp()
        let lines = try scrape(registry).values.keys.count
        withExtendedLifetime(probe) {}
        // Room for what the route has from the start, and for no line more.
        let small = MetricsRegistry(shardCount: 2, maxSeries: lines)
        let metrics = TCPRouteMetrics(description(.tcp4), registry: small, log: try makeSilentLog())
        #expect(metrics.registrationFailure == nil)
        let context = try makeContext()
        metrics.opened(context)
        metrics.connectionClosed(context, reason: .hook, totals: totals)
        #expect(metrics.registrationFailure != nil)
        #expect(metrics.report.active == 0)
        #expect(small.droppedSeries == 1)
    }

    @Test func `an occurrence is possible with all traits of one of its sets, and conceivable with their lasting ones`()
    {
        let reason = RejectReason.noUpstream.occurrence
        #expect(reason.isPossible(on: .udp) && reason.isPossible(on: [.tcp, .preDial]))
        #expect(!reason.isPossible(on: .tcp) && reason.isConceivable(on: .tcp))
        #expect(!RejectReason.routeLimit.occurrence.isConceivable(on: [.udp, .preDial]))
        #expect(DropReason.acl.occurrence.isConceivable(on: [.udp, .ingress]))
        #expect(!DropReason.acl.occurrence.isConceivable(on: [.udp, .egress]))
        #expect(Occurrence.always.isPossible(on: []))
        #expect(!Occurrence.never.isPossible(on: .routes) && !Occurrence.never.isConceivable(on: .routes))
    }
}
