import Testing
import WeirAccess
import WeirExporter
import WeirMetrics
import WeirStream

@testable import WeirProxy

struct MetricCatalogueTests {
    @Test("Every family has a name of its own, a meaning, and a name that says its type and unit")
    func names() {
        #expect(Set(MetricCatalogue.all.map(\.name)).count == MetricCatalogue.all.count)
        for family in MetricCatalogue.all {
            #expect(family.name.hasPrefix("weir_") || family.name.hasPrefix("process_"), "\(family.name)")
            #expect(family.descriptor.help.hasSuffix("."), "\(family.name)")
            #expect((family.typeName == "counter") == family.name.hasSuffix("_total"), "\(family.name)")
            if family.typeName == "histogram" { #expect(family.name.hasSuffix("_seconds"), "\(family.name)") }
            if !family.descriptor.unit.isEmpty { #expect(family.name.contains(family.descriptor.unit)) }
        }
    }

    @Test("A registry takes the whole catalogue")
    func registration() throws {
        let registry = MetricsRegistry(shardCount: 1)
        for family in MetricCatalogue.all { try registry.declare(family.descriptor) }
    }

    @Test("The reference has a row for each family, with the members of closed labels")
    func table() throws {
        let rows = MetricCatalogue.table.split(separator: "\n")
        #expect(rows.count == MetricCatalogue.all.count + 2)
        #expect(rows[0] == "| name | type | labels | meaning |")
        #expect(
            rows.contains(
                "| `weir_tcp_connections_accepted_total` | counter | `route` | Connections accepted, rejected ones "
                    + "included. |"))
        #expect(
            rows.contains {
                $0.hasPrefix(
                    "| `weir_accept_errors_total` | counter | `route`; `reason`: `fd_limit`, `memory`, `aborted`, "
                        + "`other` | ")
            })
        #expect(rows.contains { $0.hasPrefix("| `process_open_fds` | gauge | – | ") })
    }

    @Test("The values of every closed label are distinct, and their indexes are those in allCases")
    func values() {
        func check<Value: LabelValue>(_ type: Value.Type) {
            for (index, value) in Value.allCases.enumerated() { #expect(value.ordinal == index, "\(value)") }
            #expect(LabelIndex<Value>.values == Array(Value.allCases))
            #expect(Set(Value.allCases.map(\.label)).count == Value.allCases.count)
        }
        check(RejectReason.self)
        check(ConnectionCloseReason.self)
        check(SessionCloseReason.self)
        check(DialFailure.self)
        check(TimeoutKind.self)
        check(DropReason.self)
        check(ProxyHeader.Version.self)
        check(ProxyHeaderError.self)
        check(UpstreamErrorReason.self)
        check(AcceptErrorReason.self)
        check(Direction.self)
        check(HTTPStatus.self)
        check(ContentEncoding.self)
        check(ExpositionFormat.self)
        check(AccessAction.self)
        check(AccessScope.self)
        check(AccessRuleKind.self)
    }
}
