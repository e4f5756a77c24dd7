import CoreMetrics
import Glibc
import WeirExporter
import WeirMetrics
import WeirSwiftMetrics

/// A program with metrics of its own, those of a package, and a page for Prometheus:
///
///     swift run --package-path Examples Jobs
///
/// It prints where the page is, and serves until its standard input ends.
@main
struct Jobs {
    static func main() async throws {
        let registry = MetricsRegistry(shardCount: 2, retiredSeriesTTL: .seconds(2))
        MetricsSystem.bootstrap(try RegistryMetricsFactory(registry))
        PackageMetrics.measure()

        let mail = try JobMetrics(registry, queue: "mail")
        work(registry, mail)
        try showQueue(registry)
        let tenant = try welcomeTenants(registry)
        printJobs(registry)

        let exporter = try await Exporter.serve(registry, at: "127.0.0.1:0", product: "Jobs")
        print("http://\(exporter.localAddresses[0])/metrics")
        // A reader behind a pipe needs the line now.
        fflush(nil)
        while readLine() != nil {}
        await exporter.stop()
        tenant.leave()
    }

    /// Two threads, each in its shard, on the same series.
    private static func work(_ registry: MetricsRegistry, _ metrics: JobMetrics) {
        let workers = (0..<registry.shardCount).map { Worker(shard: $0, registry: registry) }
        for worker in workers { worker.start(jobs: 70, metrics) }
        for worker in workers { worker.waitUntilDone() }
    }

    /// A gauge that mirrors something else is set when a page is rendered.
    private static func showQueue(_ registry: MetricsRegistry) throws {
        let waiting = [1, 2, 3]
        let length = try registry.gauge(
            MetricDescriptor(name: "jobs_waiting", help: "Jobs in the queue.", kind: .gauge))
        registry.onCollect { length.set(Int64(waiting.count)) }
    }

    /// One stays, one leaves.
    private static func welcomeTenants(_ registry: MetricsRegistry) throws -> Tenant {
        let (first, second) = (try Tenant(registry, name: "first"), try Tenant(registry, name: "second"))
        first.requests.add(5)
        first.quota.set(100)
        second.requests.add()
        second.leave()
        return first
    }

    /// A part of the page, without a server.
    private static func printJobs(_ registry: MetricsRegistry) {
        var buffer = ScrapeBuffer()
        let filter = PageFilter(names: ["jobs_*"], labels: ["queue": ["mail"]])
        registry.render(into: &buffer, format: .openMetrics100, filter: filter)
        print(buffer.text)
    }
}
