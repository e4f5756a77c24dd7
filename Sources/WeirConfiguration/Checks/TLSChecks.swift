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
        if let tls = route.checkTLS, let origin = draft.origin(of: "health") {
            if route.health?.check == .tls, route.claims.startTLS != nil {
                diagnostics.error(
                    origin,
                    "\(subject): `check: tls` begins with a handshake, and the upstream expects a request of "
                        + "`starttls` first: expected `check: postgres`")
            } else if route.upstreamTLS == nil || tls.serverName != route.upstreamTLS?.serverName {
                checkNames(of: draft, tls, "the TLS of `health`", at: origin, diagnostics)
            }
        }
        guard let tls = route.upstreamTLS, let origin = draft.origin(of: "upstream_tls") else { continue }
        if route.claims.startTLS != nil, route.tls == nil {
            diagnostics.error(
                origin, "\(subject): `upstream_tls` with `starttls` needs `tls`: clients would encrypt inside of it")
        }
        checkNames(of: draft, tls, "`upstream_tls`", at: origin, diagnostics)
    }
}

/// Checks that upstreams which have to prove who they are have a name to prove.
private func checkNames(
    of draft: RouteDraft, _ tls: UpstreamTLS, _ section: String, at origin: Origin, _ diagnostics: Diagnostics
) {
    guard tls.verifies, tls.serverName == nil else { return }
    for (upstream, place) in zip(draft.route.upstreams, draft.targetOrigins)
    where upstream.isService || upstream.host.unixPath != nil {
        let kind = upstream.isService ? "the records of a service name any host" : "a Unix socket has no name"
        diagnostics.error(
            origin,
            "route \(quoted(draft.name)): \(section) needs a `server_name` for the upstream "
                + "\(quoted("\(upstream.host)"))\(place.remark(in: origin)): \(kind)")
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
