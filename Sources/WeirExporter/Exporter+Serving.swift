import LinuxIO
import NetworkTypes
public import WeirMetrics

extension ExporterConfiguration {
    /// A configuration whose addresses are texts: literals with a port, `127.0.0.1:9847` or `[::]:9847`. Port 0 takes a
    /// free one, which ``Exporter/localAddresses`` tells.
    public init(listeningAt addresses: [String], product: String = "Metrics") throws(ExporterError) {
        var listen: [SocketAddress] = []
        for text in addresses {
            guard let address = SocketAddress(text) else { throw .invalidAddress(text) }
            listen.append(address)
        }
        self.init(listen: listen, product: product)
    }
}

extension Exporter {
    /// Serves a registry's page until ``stop()``: all that a program needs that has metrics and is no proxy.
    ///
    /// ```swift
    /// let exporter = try await Exporter.serve(registry, at: "127.0.0.1:9847")
    /// ```
    ///
    /// - Parameters:
    ///   - registry: what is rendered for each scrape, on the exporter's thread.
    ///   - address: as in ``ExporterConfiguration/init(listeningAt:product:)``.
    ///   - others: further addresses.
    ///   - product: what the page at `/` calls the program.
    public static func serve(
        _ registry: MetricsRegistry, at address: String, _ others: String..., product: String = "Metrics"
    ) async throws(ExporterError) -> Exporter {
        try await serve(registry, ExporterConfiguration(listeningAt: [address] + others, product: product))
    }

    /// Serves a registry's page with bounds and answers of your own.
    ///
    /// - Parameters:
    ///   - registry: what is rendered for each scrape, on the exporter's thread.
    ///   - configuration: where it listens, and the bounds.
    ///   - health: the answers of `/healthz` and `/readyz`; by default both are yes.
    public static func serve(
        _ registry: MetricsRegistry, _ configuration: ExporterConfiguration, health: HealthChecks = HealthChecks()
    ) async throws(ExporterError) -> Exporter {
        let exporter = try Exporter(configuration, page: RegistryPage(registry), health: health)
        try await exporter.start()
        return exporter
    }
}
