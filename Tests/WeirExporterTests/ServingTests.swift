import LinuxIO
import Testing
import WeirExporter
import WeirMetrics

/// The exporter as programs use it that are no proxy.
@Suite struct ServingTests {
    @Test("A registry is served at addresses that are written as text, until it is stopped")
    func serve() async throws {
        let registry = MetricsRegistry(shardCount: 0)
        try registry.counter(MetricDescriptor(name: "jobs_total", help: "Jobs done.", kind: .counter)).add(3)
        let exporter = try await Exporter.serve(registry, at: "127.0.0.1:0", "127.0.0.2:0", product: "Jobs")
        let addresses = exporter.localAddresses
        #expect(addresses.map { "\($0.ip)" } == ["127.0.0.1", "127.0.0.2"])
        let port = try #require(addresses.first).port
        let client = try TestClient(port: port)
        client.send(request())
        let page = try #require(try client.answer())
        #expect(page.text.hasSuffix("\njobs_total 3\n"))
        client.send(request("GET", "/"))
        let index = try #require(try client.answer())
        #expect(index.text.contains("<h1>Jobs</h1>"))
        await exporter.stop()
        #expect(exporter.localAddresses == [])
        #expect(try client.isClosed())
    }

    @Test("Bounds and answers may be the program's own")
    func configured() async throws {
        var configuration = try ExporterConfiguration(listeningAt: ["127.0.0.1:0"])
        configuration.limits.headBytes = 100
        let health = HealthChecks(readiness: { .unavailable("still reading") })
        let exporter = try await Exporter.serve(MetricsRegistry(shardCount: 0), configuration, health: health)
        let port = try #require(exporter.localAddresses.first).port
        let client = try TestClient(port: port)
        client.send(request("GET", "/readyz"))
        let answer = try #require(try client.answer())
        #expect(answer.status == 503 && answer.text.contains("still reading"))
        client.send(request("GET", "/" + String(repeating: "x", count: 200)))
        let refused = try #require(try client.answer())
        #expect(refused.status == 414 || refused.status == 431)
        await exporter.stop()
    }

    @Test("Prometheus' names for health and readiness are answered, too")
    func otherNames() async throws {
        let health = HealthChecks(health: { .ok("alive") }, readiness: { .unavailable("not yet") })
        let configuration = try ExporterConfiguration(listeningAt: ["127.0.0.1:0"])
        let exporter = try await Exporter.serve(MetricsRegistry(shardCount: 0), configuration, health: health)
        let client = try TestClient(port: try #require(exporter.localAddresses.first).port)
        for (path, status, text) in [
            ("/healthz", 200, "alive"), ("/-/healthy", 200, "alive"), ("/readyz", 503, "not yet"),
            ("/-/ready", 503, "not yet"), ("/-/", 404, "404"),
        ] {
            client.send(request("GET", path))
            let answer = try #require(try client.answer())
            #expect(answer.status == status && answer.text.contains(text), "\(path)")
        }
        await exporter.stop()
    }

    @Test(
        "What is no address is refused by name",
        arguments: ["", "9847", "localhost:9847", "127.0.0.1", "::1:9847", "127.0.0.1:99999", "127.0.0.1:+1"])
    func notAnAddress(text: String) async {
        await #expect(throws: ExporterError.invalidAddress(text)) {
            try await Exporter.serve(MetricsRegistry(shardCount: 0), at: text)
        }
    }
}
