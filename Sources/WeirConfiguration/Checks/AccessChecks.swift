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
