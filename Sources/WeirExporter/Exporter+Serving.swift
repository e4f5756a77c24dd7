import LinuxIO
public import WeirMetrics

extension Exporter {
    /// Serves a registry's page until ``stop()``: all that a program needs that has metrics and is no proxy.
    ///
    /// ```swift
    /// let exporter = try await Exporter.serve(registry, at: "127.0.0.1:9847")
    /// ```
    ///
    /// - Parameters:
    ///   - registry: what is rendered for each scrape, on the exporter's thread.
    ///   - address: an address literal with a port, `127.0.0.1:9847` or `[::]:9847`; port 0 takes a free one, which
    ///     ``localAddresses`` tells.
    ///   - others: further addresses.
    ///   - product: what the page at `/` calls the program.
    ///   - health: the answers of `/healthz` and `/readyz`; by default both are yes.
    public static func serve(
        _ registry: MetricsRegistry, at address: String, _ others: String..., product: String = "Metrics",
        health: HealthChecks = HealthChecks()
    ) async throws(ExporterError) -> Exporter {
        var listen: [SocketAddress] = []
        for text in [address] + others {
            guard let address = SocketAddress(text) else { throw .invalidAddress(text) }
            listen.append(address)
        }
        let exporter = try Exporter(
            ExporterConfiguration(listen: listen, product: product), page: RegistryPage(registry), health: health)
        try await exporter.start()
        return exporter
    }
}
