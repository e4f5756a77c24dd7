import LinuxIO
import NetworkTypes
import Testing
import WeirConfiguration
import WeirExporter
import WeirMetrics

@testable import WeirProxy

struct HealthTests {
    @Test("A stalled worker is named")
    func liveness() {
        #expect(Health.liveness(stalledWorker: nil) == .ok("ok"))
        #expect(Health.liveness(stalledWorker: 3) == .unavailable("worker 3 has not turned for 5 s"))
    }

    @Test("Ready is what is bound and does not drain")
    func readiness() {
        let health = Health()
        #expect(health.readiness == .unavailable("starting: not every route is bound yet"))
        health.phase = .awaitingContainers
        #expect(health.readiness == .unavailable("starting: the containers of an engine are not known yet"))
        health.phase = .ready
        #expect(health.readiness == .ok("ready"))
        health.phase = .draining
        #expect(health.readiness == .unavailable("draining"))
    }

    @Test(
        "An answer is its status and its text",
        arguments: [
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n", 200, "ok"),
            (
                "HTTP/1.1 503 Service Unavailable\r\nA: b\r\n\r\nworker 1 has not turned for 5 s\n", 503,
                "worker 1 has not turned for 5 s"
            ),
            ("HTTP/1.0 404 Not Found\r\n\r\n", 404, ""),
        ])
    func answer(_ bytes: String, status: Int, text: String) throws {
        let answer = try #require(HealthProbe.parse(Array(bytes.utf8)))
        #expect(answer.status == status && answer.text == text)
        #expect(answer.isHealthy == (status == 200))
    }

    @Test("A wildcard of IPv6 is asked over IPv4, too: where the host has no IPv6 the exporter serves that")
    func withoutIPv6() async throws {
        let exporter = try await Exporter.serve(MetricsRegistry(shardCount: 0), at: "127.0.0.1:0")
        let port = try #require(exporter.localAddresses.first).port
        // The file says `[::]`, and what listens is IPv4.
        let text = "exporter: { listen: \"[::]:\(port)\" }\nroutes: { a: { scheme: tcp, port: 1:2, host: b } }\n"
        let loaded = try Configuration.parse(bytes: Array(text.utf8), file: "weir.yml", environment: [:])
        #expect(try HealthProbe(loaded.configuration).ask().isHealthy)
        #expect(try HealthProbe(exporter: "[::]:\(port)", asksReadiness: true).ask().isHealthy)
        await exporter.stop()
        let failure = #expect(throws: HealthProbe.Failure.self) {
            try HealthProbe(exporter: "[::]:\(port)").ask()
        }
        #expect(failure?.description.hasPrefix("no answer from [::1]:\(port) or 127.0.0.1:\(port): ") == true)
    }

    @Test("Of several listeners the first that answers is enough")
    func severalListeners() async throws {
        let exporter = try await Exporter.serve(MetricsRegistry(shardCount: 0), at: "127.0.0.3:0")
        let port = try #require(exporter.localAddresses.first).port
        let places = "\"unix:/nonexistent/weir.sock\", 127.0.0.2:\(port), 127.0.0.3:\(port)"
        let text =
            "exporter: { listen: [\(places)] }\n"
            + "routes: { a: { scheme: tcp, port: 1:2, host: b } }\n"
        let loaded = try Configuration.parse(bytes: Array(text.utf8), file: "weir.yml", environment: [:])
        #expect(try HealthProbe(loaded.configuration).ask().isHealthy)
        await exporter.stop()
    }

    @Test(
        "What is no answer of HTTP is none",
        arguments: ["", "SSH-2.0-x\r\n\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n"])
    func noAnswer(_ bytes: String) {
        #expect(HealthProbe.parse(Array(bytes.utf8)) == nil)
    }
}
