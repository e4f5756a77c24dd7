/// Checks that listeners do not clash with each other or with the exporter, and that no route leads into a listener of
/// ours, as far as the text of the file tells. (Names are checked again when they are resolved.)
///
/// Listeners are grouped by port first: a file with thousands of routes must not be compared pair by pair.
func checkListeners(
    of drafts: [RouteDraft], exporter: Configuration.Exporter, at exporterPlaces: [SourceLocation], findings: Findings
) {
    let claims = drafts.map { ListenerClaim($0) }
    checkClashes(claimsOfExporter(exporter, at: exporterPlaces) + claims.compactMap { $0 }, findings: findings)
    checkLoops(drafts, claims, findings: findings)
}

private func claimsOfExporter(_ exporter: Configuration.Exporter, at places: [SourceLocation]) -> [ListenerClaim] {
    let addresses = exporter.listen.enumerated().compactMap { index, listener -> (ListenAddress, SourceLocation?)? in
        guard case .address(let address) = listener else { return nil }
        return (address, index < places.count ? places[index] : nil)
    }
    return addresses.map { address, place in
        // `[::]` leaves IPv4 to `0.0.0.0` where that is listed as well.
        let isShared = addresses.contains { $0.0 == ListenAddress(address: .anyIPv4, port: address.port) }
        return ListenerClaim(
            owner: "the exporter", scheme: isShared && address.address == .anyIPv6 ? .tcp6 : .tcp,
            bind: address.address,
            port: address.port, place: place)
    }
}

private struct Listening: Hashable {
    let transport: Transport
    let port: UInt16
}

private func checkClashes(_ claims: [ListenerClaim], findings: Findings) {
    var groups: [Listening: [ListenerClaim]] = [:]
    for claim in claims {
        let group = Listening(transport: claim.transport, port: claim.port)
        // The first clash says enough.
        if let other = groups[group]?.first(where: { $0.overlaps(claim) }) {
            let transport = claim.transport.rawValue.uppercased()
            let line = other.place.map { " (line \($0.line))" } ?? ""
            let relation = claim.text == other.text ? "is also the listener" : "overlaps the listener \(other.text)"
            findings.error(
                claim.place,
                "\(claim.owner): the \(transport) listener \(claim.text) \(relation) of \(other.owner)\(line)")
        }
        groups[group, default: []].append(claim)
    }
}

private func checkLoops(_ drafts: [RouteDraft], _ claims: [ListenerClaim?], findings: Findings) {
    var groups: [Listening: [ListenerClaim]] = [:]
    var ownAddresses: Set<IPLiteral> = []
    for claim in claims {
        guard let claim else { continue }
        groups[Listening(transport: claim.transport, port: claim.port), default: []].append(claim)
        for case .one(let address) in [claim.ipv4, claim.ipv6] { ownAddresses.insert(address) }
    }
    for (draft, claim) in zip(drafts, claims) {
        guard let claim, draft.has("host", "upstreams") else { continue }
        for (upstream, place) in zip(draft.route.upstreams, draft.targetPlaces) {
            let addresses = dialledAddresses(upstream.host)
            let port = upstream.port ?? draft.route.upstreamPort
            let group = groups[Listening(transport: claim.transport, port: port)] ?? []
            let hit = group.first { listener in
                addresses.contains { listener.takes($0, isLocal: $0.isLoopback || ownAddresses.contains($0)) }
            }
            guard let hit else { continue }
            let target = upstream.text(targetPort: draft.route.upstreamPort)
            let isOwn = hit.owner == claim.owner
            let whose = isOwn ? "its own listener" : "the listener of \(hit.owner)"
            let line = isOwn ? "" : hit.place.map { " (line \($0.line))" } ?? ""
            let key = draft.fields["upstreams"] == nil ? "`host`" : "the upstream"
            findings.error(
                place,
                "\(claim.owner): a loop: the target \(target) is \(whose)\(line), \(hit.text); set \(key) or "
                    + "`port` to another server")
        }
    }
}

/// The addresses that a target means without asking a resolver.
private func dialledAddresses(_ host: UpstreamHost) -> [IPLiteral] {
    switch host {
    case .name(let name):
        let lower = name.lowercased()
        return lower == "localhost" || lower == "localhost." ? [.ipv4(127, 0, 0, 1), .loopbackIPv6] : []
    case .address(let address):
        let plain = address.unmapped
        // Linux connects to the loopback address when asked for the unspecified one.
        if plain.isUnspecified { return [plain.isIPv6 ? .loopbackIPv6 : .ipv4(127, 0, 0, 1)] }
        return [plain]
    }
}
