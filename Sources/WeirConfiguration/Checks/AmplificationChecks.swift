/// Warns of UDP routes that bound the replies by the length of the questions, and count replies as DNS does: a name
/// server's answers are longer than what the bound lets through.
func checkAmplification(of drafts: [RouteDraft], diagnostics: Diagnostics) {
    var told: Set<Origin> = []
    for draft in drafts {
        guard let settings = draft.route.udp, let factor = settings.amplification, settings.responses != nil else {
            continue
        }
        let origin = draft.origin(of: "amplification") ?? draft.origin
        guard told.insert(origin).inserted else { continue }
        diagnostics.warning(
            origin,
            "`amplification: \(factor)` beside `responses`: answers of DNS and the like are longer than \(factor) "
                + "times their questions, and would be dropped; it suits protocols with a handshake, such as QUIC")
    }
}
