/// Warns of UDP routes on which only a session's first datagram has a PROXY header: where that one is lost, a client's
/// own bytes are read as one.
func checkDatagramHeaders(of drafts: [RouteDraft], entrypoint: ConfigurationNode?, diagnostics: Diagnostics) {
    var told: Set<Origin> = []
    func warn(_ origin: Origin, _ message: String) {
        if told.insert(origin).inserted { diagnostics.warning(origin, message) }
    }
    for draft in drafts {
        guard let settings = draft.route.udp else { continue }
        if settings.proxyProtocol.mode != .disabled, settings.proxyProtocol.datagrams == .first {
            let node = draft.fields["proxy_protocol"] ?? entrypoint?["proxy_protocol"]
            warn(
                node?["datagrams"]?.origin ?? node?.origin ?? draft.origin,
                "`datagrams: first`: where a session's first datagram is lost, its client can name another one; a "
                    + "proxy that can send `each` should")
        }
        if settings.relayedHeader == .first {
            warn(
                draft.fields["relay_proxy_protocol_header"]?.origin ?? draft.origin,
                "`relay_proxy_protocol_header: first`: where a session's first datagram is lost, the upstream reads "
                    + "its client's bytes as the header; one that can read `each` should")
        }
    }
}
