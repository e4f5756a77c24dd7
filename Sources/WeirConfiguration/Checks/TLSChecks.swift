import NetworkTypes

/// Checks the TLS of routes against what else they have.
func checkTLS(of drafts: [RouteDraft], global: TLSDefaults, diagnostics: Diagnostics) {
    for draft in drafts where draft.route.transport == .tcp {
        let route = draft.route
        let subject = "route \(quoted(draft.name))"
        if let tls = route.tls, let origin = draft.origin(of: "tls"), tls.certificates.isEmpty,
            global.certificates.isEmpty
        {
            diagnostics.error(
                origin,
                "\(subject): `tls` needs a certificate: expected `certificates` here, or in `tls` beside `routes`")
        }
        guard let tls = route.upstreamTLS, let origin = draft.origin(of: "upstream_tls") else { continue }
        if route.claims.startTLS != nil, route.tls == nil {
            diagnostics.error(
                origin, "\(subject): `upstream_tls` with `starttls` needs `tls`: clients would encrypt inside of it")
        }
        guard tls.verifies, tls.serverName == nil else { continue }
        for (upstream, place) in zip(route.upstreams, draft.targetOrigins)
        where upstream.isService || upstream.host.unixPath != nil {
            let kind = upstream.isService ? "the records of a service name any host" : "a Unix socket has no name"
            diagnostics.error(
                origin,
                "\(subject): `upstream_tls` needs a `server_name` for the upstream "
                    + "\(quoted("\(upstream.host)"))\(place.remark(in: origin)): \(kind)")
        }
    }
}

extension Configuration.Loaded {
    /// The usual ports of protocols inside of TLS.
    private static let encryptedPorts: Set<UInt16> = [443, 465, 563, 636, 853, 989, 990, 992, 993, 995, 5671, 8883]

    /// Routes that decrypt in front of a port that usually expects TLS.
    var tlsAdvice: [Diagnostic] {
        configuration.routes.compactMap { route in
            guard route.tls != nil, route.upstreamTLS == nil, let origin = origin(ofRoute: route.name) else {
                return nil
            }
            let ports = route.upstreams.compactMap(\.port) + route.ports.flatMap { [$0.target.lowerBound] }
            guard let port = ports.first(where: Self.encryptedPorts.contains) else { return nil }
            return Diagnostic(
                origin: origin, severity: .warning,
                message: "route \(quoted(route.name)) sends clear text to port \(port), where TLS is usual: set "
                    + "`upstream_tls` if the upstream speaks it")
        }
    }
}
