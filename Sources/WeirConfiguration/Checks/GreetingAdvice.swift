import NetworkTypes

extension Configuration.Loaded {
    /// Advice about routes that share a port by names, and whose upstreams listen where a protocol is spoken in which
    /// the server speaks first: its clients send no hello before the greeting, and end by `timeout`.
    var greetingAdvice: [Diagnostic] {
        let routes = configuration.routes.filter { $0.transport == .tcp }
        let choosing = routes.filter { !$0.claims.isRest }
        return routes.compactMap { route in
            let targets = route.upstreams.compactMap(\.port).map { $0...$0 } + route.ports.map(\.target)
            guard let (_, service) = Self.greeters.first(where: { port, _ in targets.contains { $0.contains(port) } }),
                choosing.contains(where: { Self.share(route, $0) }), let origin = origin(ofRoute: route.name)
            else { return nil }
            return Diagnostic(
                origin: origin, severity: .warning,
                message: "route \(quoted(route.name)) shares its port with names, and in \(service) the server speaks "
                    + "first: clients that wait for a greeting send no hello, and end by `timeout`")
        }
    }

    /// Ports at which IANA has such services, without those that begin with TLS.
    private static let greeters: [(port: UInt16, service: String)] = [
        (21, "FTP"), (25, "SMTP"), (110, "POP3"), (119, "NNTP"), (143, "IMAP"), (587, "SMTP"), (3306, "MySQL"),
        (5900, "VNC"),
    ]

    private static func share(_ route: RouteConfiguration, _ other: RouteConfiguration) -> Bool {
        route.ports.contains { ports in other.ports.contains { $0.listen.overlaps(ports.listen) } }
    }
}
