/// Checks that each upstream which is an address is of a family that `dial_from` has: no dial to it could begin. The
/// addresses of names are known later.
func checkDialSources(of drafts: [RouteDraft], diagnostics: Diagnostics) {
    for draft in drafts where draft.has("dial_from", "host", "upstreams") {
        guard let source = draft.route.dialFrom else { continue }
        for (upstream, origin) in zip(draft.route.upstreams, draft.targetOrigins) where upstream.agent == nil {
            guard case .address(let address) = upstream.host, !source.reaches(address.ip) else { continue }
            let family = address.ip.isIPv4 ? "IPv4" : "IPv6"
            let line = draft.origin(of: "dial_from")?.remark(in: origin) ?? ""
            diagnostics.error(
                origin,
                "route \(quoted(draft.name)): the upstream \(quoted(address.description)) cannot be dialed, because "
                    + "`dial_from`\(line) has no \(family) address; add one, or set `dial_from: off`")
        }
    }
}
