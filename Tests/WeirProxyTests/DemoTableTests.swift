import TestSupport
import Testing

@testable import WeirProxy

struct DemoTableTests {
    @Test("The table shows rates since the last look, and totals of what went wrong")
    func table() {
        var before = RouteReport(route: "echo", transport: "tcp")
        before.ingressBytes = 1000
        var echo = before
        echo.active = 12
        echo.ingressBytes = 3048
        echo.egressBytes = 4_000_000
        echo.rejected = 3
        echo.denied = 2
        var dead = RouteReport(route: "dead-udp", transport: "udp")
        dead.failures = ["timeout": 2, "refused": 10]
        dead.timeouts = 7
        let lines = DemoTable.lines(
            from: .init(reports: [before], nanoseconds: 0),
            to: .init(reports: [echo, dead], nanoseconds: 2_000_000_000))
        #expect(
            lines == [
                "ROUTE     PROTO  ACTIVE    IN/S   OUT/S  REJECTED  DENIED  TIMEOUTS  FAILURES BY REASON",
                "echo      tcp        12  1.0 KB  2.0 MB         3       2         0  -",
                "dead-udp  udp         0     0 B     0 B         0       0         7  refused 10, timeout 2",
            ])
    }

    @Test(
        "Numbers of bytes are short",
        arguments: [
            (0, "0 B"), (999, "999 B"), (1000, "1.0 KB"), (1499, "1.5 KB"), (9940, "9.9 KB"), (10_000, "10 KB"),
            (999_499, "999 KB"), (999_500, "1.0 MB"), (1.5e9, "2 GB"),
        ] as [(Double, String)])
    func bytes(_ count: Double, text: String) {
        #expect(DemoTable.bytes(count) == text)
    }

    @Test("The demo's routes have listeners and upstreams of their own within their hundred ports")
    func ports() {
        let base: UInt16 = 19_000
        let all = DemoRoute.allCases.flatMap { [$0.listenPort(base), $0.upstreamPort(base)] }
        #expect(Set(all).count == all.count)
        #expect(all.allSatisfy { $0 >= base && $0 < base + 100 })
    }

    @Test("Taken ports are named with the option that helps")
    func takenPorts() async throws {
        let port = try Ports.free()
        let taken = try TCPServer(port: port) { _ in }
        let options = try Demo.Options(exporter: "127.0.0.1:\(try Ports.free())", basePort: port - 50)
        do {
            let demo = try await Demo.start(options)
            await demo.stop()
            Issue.record("the demo started on a port that is taken")
        } catch {
            #expect(error.description.contains("--base-port"))
        }
        withExtendedLifetime(taken) {}
    }

    @Test(
        "An exporter address that is none is refused",
        arguments: ["", "localhost", "127.0.0.1", "a'b:1", "1.2.3.4:0x1"])
    func exporterAddress(_ text: String) {
        #expect(throws: DemoError.self) { try Demo.Options(exporter: text, basePort: 19_000) }
    }
}
