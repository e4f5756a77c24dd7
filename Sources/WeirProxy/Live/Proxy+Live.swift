import WeirConfiguration

// What the proxy publishes for the page at `/`.

extension Proxy {
    /// Publishes the routes that are served, in the order of the configuration.
    func publishRoutes() {
        let shown = configuration.routes.compactMap { wanted -> LiveBoard.Route? in
            guard let route = routes[RouteKey(wanted)] else { return nil }
            let set = components.upstreamSets.set(UpstreamSets.Key(route.served))
            // Members may be others than when the command came.
            if let set { components.drains.apply(to: set, of: route.served) }
            return LiveBoard.Route(route, set: set, isDraining: components.drains.drains(route: wanted.name))
        }
        components.live.update { $0.routes = shown }
    }

    /// Publishes the certificates that are in use.
    func publishCertificates() {
        let shown = certificateMetrics.shownCertificates
        components.live.update { $0.certificates = shown }
    }

    /// Publishes that the configuration was taken, or the reason why it was not.
    func publishConfiguration(problem: String?) {
        components.live.update { state in
            state.problem = problem
            if problem == nil { state.takenAt = WallClock.nanoseconds / 1_000_000 }
        }
    }
}
