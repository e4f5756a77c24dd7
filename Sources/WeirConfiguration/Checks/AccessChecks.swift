/// Looks for routes that let in no client, and for a default that lets in more than it seems.
func checkAccess(
    of drafts: [RouteDraft], global: AccessConfiguration, at defaultOrigin: Origin, diagnostics: Diagnostics
) {
    var trusts = false
    var isGlobalTold = false
    for draft in drafts {
        let own = draft.route.access ?? RouteAccessConfiguration()
        switch own.defaultAction {
        case .allow: continue
        case .deny:
            if own.allow.isEmpty {
                diagnostics.error(
                    draft.fields["acl"]?["default"]?.origin ?? draft.origin,
                    "route \(quoted(draft.name)): `default: deny` without a rule in the route's `allow` lets in no "
                        + "client but this machine")
            }
        case nil where global.defaultAction == .deny && global.allowLocal: trusts = true
        case nil where global.defaultAction == .deny && own.allow.isEmpty && global.allow.isEmpty:
            if isGlobalTold { continue }
            isGlobalTold = true
            diagnostics.error(
                defaultOrigin,
                "`acl`: `default: deny` with `allow_local: false` and without an allow rule lets in no client but this "
                    + "machine on route \(quoted(draft.name))")
        case nil: break
        }
    }
    guard trusts else { return }
    diagnostics.warning(
        defaultOrigin,
        "`acl`: with `default: deny` and `allow_local` on, every private address passes; behind a NAT gateway or a "
            + "container bridge all clients have the gateway's private address, and then everybody passes: set "
            + "`allow_local: false` and name in `allow` who may pass")
}

/// Looks for rules about the names in certificates that hold for routes whose clients have to show none.
func checkNameRules(
    of drafts: [RouteDraft], global: AccessConfiguration, at globalOrigin: Origin, diagnostics: Diagnostics
) {
    let globalRule = (global.deny + global.allow).first(where: \.judgesNames)
    for draft in drafts where draft.route.tls?.clientAuthorities == nil {
        let own = draft.route.access ?? RouteAccessConfiguration()
        let ownRule = (own.deny + own.allow).first(where: \.judgesNames)
        guard let rule = ownRule ?? globalRule else { continue }
        let origin = ownRule == nil ? globalOrigin : draft.origin(of: "acl") ?? draft.origin
        diagnostics.error(
            origin,
            "route \(quoted(draft.name)): the rule \(quoted(rule.text)) needs `tls: { client_ca: … }`: without it no "
                + "client proves a name")
    }
}
