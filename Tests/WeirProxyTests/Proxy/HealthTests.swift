import Testing
import WeirConfiguration
import WeirExporter

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

    @Test(
        "What is no answer of HTTP is none",
        arguments: ["", "SSH-2.0-x\r\n\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n"])
    func noAnswer(_ bytes: String) {
        #expect(HealthProbe.parse(Array(bytes.utf8)) == nil)
    }
}
