import NetworkTypes

/// Checks that Unix sockets are upstreams of TCP routes only, that no port is given for them, and that none is that of
/// the exporter: the socket's permissions would then say nothing about who can ask it.
func checkUnixUpstreams(of drafts: [RouteDraft], exporter: Configuration.Exporter, diagnostics: Diagnostics) {
    let exporterPaths = exporter.listen.compactMap { listener in
        if case .unix(let path) = listener { path } else { nil }
    }
    for draft in drafts where draft.has("scheme", "host", "upstreams") {
        let route = draft.route
        for (upstream, origin) in zip(route.upstreams, draft.targetOrigins) {
            guard let path = upstream.host.unixPath else { continue }
            let subject = "route \(quoted(draft.name)): the upstream \(quoted("\(path)"))"
            if route.transport == .udp {
                diagnostics.error(
                    origin,
                    "\(subject) is a Unix socket, which carries connections, and the scheme is "
                        + "`\(route.scheme.rawValue)`")
            } else if upstream.port != nil {
                diagnostics.error(origin, "\(subject) has a `port`, and a Unix socket has none")
            } else if exporterPaths.contains(path) {
                diagnostics.error(
                    origin,
                    "\(subject) is the socket of the exporter: all clients of the route could ask it, whatever "
                        + "permissions the socket has")
            } else if draft.has("health"), route.health?.port != nil {
                let line = draft.origin(of: "health")?.remark(in: origin) ?? ""
                diagnostics.error(
                    origin, "\(subject) cannot be checked at the `port` of `health`\(line): a Unix socket has none")
            }
        }
    }
}
