import WeirMetrics

/// The gauges of certificates, by the path of the chain as it is configured. Used by the proxy alone.
struct CertificateMetrics {
    private struct Shown {
        let registration: RouteRegistration
        let isGood: Gauge
        /// Nil for certificates of authorities: no end of one is the end of its file.
        var expiry: Gauge?
        var names = ""
    }

    private let registry: MetricsRegistry
    private var shown: [String: Shown] = [:]

    init(_ registry: MetricsRegistry) {
        self.registry = registry
    }

    /// Only these stay, as they are.
    mutating func keep(_ paths: Set<String>) {
        for path in shown.keys where !paths.contains(path) { shown[path] = nil }
    }

    /// The certificates that are shown, in the order of their paths.
    var shownCertificates: [LiveBoard.Certificate] {
        shown.sorted { $0.key < $1.key }.map { path, shown in
            LiveBoard.Certificate(
                path: path, names: shown.names, expiry: shown.expiry?.value ?? 0, isGood: shown.isGood.value == 1)
        }
    }

    /// The certificate is in use, for these names; or the authorities are, where `expiry` is 0.
    mutating func taken(_ path: String, names: String, expiry: Int64) {
        var gauges = gauges(of: path)
        gauges.names = names
        gauges.isGood.set(1)
        if expiry > 0 {
            let gauge = gauges.expiry ?? gauges.registration.gauge(MetricCatalogue.certificateExpiry, [path])
            gauge.set(expiry)
            gauges.expiry = gauge
        }
        shown[path] = gauges
    }

    /// Changed files cannot be used: the certificate that was in use stays.
    mutating func refused(_ path: String) { gauges(of: path).isGood.set(0) }

    private mutating func gauges(of path: String) -> Shown {
        if let known = shown[path] { return known }
        let registration = RouteRegistration(registry)
        let made = Shown(
            registration: registration, isGood: registration.gauge(MetricCatalogue.certificateReload, [path]))
        shown[path] = made
        return made
    }
}
