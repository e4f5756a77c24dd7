extension Configuration.Loaded {
    /// Advice about values that are in order and may still surprise: for `weir check`, not for the log of each start.
    ///
    /// TCP routes on every address without `idle_timeout` and without a limit for each client: the silent connections
    /// of one client can take all places.
    public var advice: [Diagnostic] { silentClientAdvice + tlsAdvice }

    private var silentClientAdvice: [Diagnostic] {
        if configuration.limits.traffic.maxConnectionsPerIP != nil { return [] }
        let routes = configuration.routes.filter { route in
            guard let settings = route.tcp, settings.idleTimeout == nil else { return false }
            let listensEverywhere = route.bind.isEmpty || route.bind.contains { $0.ip?.ip.isWildcard ?? false }
            return listensEverywhere && route.limits.maxConnectionsPerIP == nil
        }
        guard let first = routes.first, let origin = origin(ofRoute: first.name) else { return [] }
        let names = routes.prefix(Self.maxNamed).map { quoted($0.name) }.joined(separator: ", ")
        let others = routes.count > Self.maxNamed ? " and \(routes.count - Self.maxNamed) others" : ""
        let subject = routes.count == 1 ? "route \(names) listens" : "the routes \(names)\(others) listen"
        return [
            Diagnostic(
                origin: origin, severity: .warning,
                message: "\(subject) on every address, and silent connections of one client can take all places: set "
                    + "`limits.max_connections_per_ip`, or `idle_timeout`")
        ]
    }

    /// The routes that a line names, at most.
    private static var maxNamed: Int { 5 }
}
