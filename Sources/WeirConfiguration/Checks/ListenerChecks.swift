import NetworkTypes

/// Checks that listeners do not clash with each other or with the exporter, and that no route leads into a listener of
/// ours, the exporter's included, as far as the text of the file tells. (Names are checked again when they are
/// resolved.)
///
/// Listeners are grouped by port first: a file with thousands of routes must not be compared pair by pair.
func checkListeners(
    of drafts: [RouteDraft], exporter: Configuration.Exporter, at exporterOrigins: [Origin], diagnostics: Diagnostics
) {
    let claims = drafts.map { ListenerClaim($0) }
    let exporterClaims = claimsOfExporter(exporter, at: exporterOrigins)
    checkClashes(exporterClaims + claims.compactMap { $0 }, diagnostics: diagnostics)
    checkLoops(drafts, claims, exporter: exporterClaims, diagnostics: diagnostics)
}

private func claimsOfExporter(_ exporter: Configuration.Exporter, at origins: [Origin]) -> [ListenerClaim] {
    let addresses = exporter.listen.enumerated().compactMap { index, listener -> (ListenAddress, Origin?)? in
        guard case .address(let address) = listener else { return nil }
        return (address, index < origins.count ? origins[index] : nil)
    }
    return addresses.map { listen, origin in
        // `[::]` leaves IPv4 to `0.0.0.0` where that is listed as well.
        let isShared = addresses.contains { $0.0.address == .anyIPv4 && $0.0.port == listen.port }
        let key = ListenerKey(
            .tcp, address: listen.address, port: listen.port, isDualStack: listen.isDualStack && !isShared)
        return ListenerClaim(exporterAt: key, origin: origin)
    }
}

private struct Listening: Hashable {
    let transport: Transport
    let port: UInt16
}

private func checkClashes(_ claims: [ListenerClaim], diagnostics: Diagnostics) {
    let shared = sharedListeners(claims)
    for claims in shared.values {
        SharedListenerChecks(diagnostics: diagnostics).check(claims.compactMap(\.draft), listener: claims[0].text)
    }
    var groups: [Listening: [ListenerClaim]] = [:]
    for claim in claims {
        let group = Listening(transport: claim.key.transport, port: claim.key.port)
        // The first clash says enough.
        let clash = groups[group]?.first { other in
            other.key.overlaps(claim.key) && !(other.key == claim.key && shared[claim.key] != nil)
        }
        if let other = clash {
            let transport = claim.key.transport.rawValue.uppercased()
            let line = other.origin?.remark(in: claim.origin) ?? ""
            let relation = claim.text == other.text ? "is also the listener" : "overlaps the listener \(other.text)"
            // Of two listeners the exporter's default alone is written nowhere.
            guard let origin = claim.origin ?? other.origin else { continue }
            diagnostics.error(
                origin,
                "\(claim.owner): the \(transport) listener \(claim.text) \(relation) of \(other.owner)\(line)")
        }
        groups[group, default: []].append(claim)
    }
}

/// The listeners that several routes may share, with their routes: TCP listeners, of which a route takes some clients
/// only. The exporter shares none.
private func sharedListeners(_ claims: [ListenerClaim]) -> [ListenerKey: [ListenerClaim]] {
    Dictionary(grouping: claims.filter { $0.key.transport == .tcp }, by: \.key).filter { _, claims in
        claims.count > 1 && claims.allSatisfy { !$0.isExporter }
            && SharedListenerChecks.mayShare(claims.compactMap(\.draft))
    }
}

private func checkLoops(
    _ drafts: [RouteDraft], _ claims: [ListenerClaim?], exporter: [ListenerClaim], diagnostics: Diagnostics
) {
    var groups: [Listening: [ListenerClaim]] = [:]
    var ownAddresses: Set<ScopedAddress> = []
    for claim in claims.compactMap({ $0 }) + exporter {
        groups[Listening(transport: claim.key.transport, port: claim.key.port), default: []].append(claim)
        if !claim.key.address.ip.isWildcard { ownAddresses.insert(claim.key.address) }
    }
    for (draft, claim) in zip(drafts, claims) {
        guard let claim, draft.has("host", "upstreams") else { continue }
        for (upstream, origin) in zip(draft.route.upstreams, draft.targetOrigins) {
            let addresses = dialedAddresses(upstream.host)
            let port = upstream.port ?? draft.route.upstreamPort
            let group = groups[Listening(transport: claim.key.transport, port: port)] ?? []
            let hit = group.first { listener in
                addresses.contains { listener.key.takes($0, isLocal: $0.ip.isLoopback || ownAddresses.contains($0)) }
            }
            guard let hit else { continue }
            let target = upstream.text(targetPort: draft.route.upstreamPort)
            let isOwn = hit.owner == claim.owner
            let whose = isOwn ? "its own listener" : "the listener of \(hit.owner)"
            let line = isOwn ? "" : hit.origin?.remark(in: origin) ?? ""
            let key = draft.fields["upstreams"] == nil ? "`host`" : "the upstream"
            // Clients of the route would have this machine's address, which `exporter.allow` always lets in.
            let kind = hit.isExporter ? "a way around `exporter.allow`" : "a loop"
            diagnostics.error(
                origin,
                "\(claim.owner): \(kind): the target \(target) is \(whose)\(line), \(hit.text); set \(key) or "
                    + "`port` to another server")
        }
    }
}

/// The addresses that a target means without asking a resolver.
private func dialedAddresses(_ host: UpstreamHost) -> [ScopedAddress] {
    switch host {
    case .name(let name):
        let lower = name.lowercased()
        return lower == "localhost" || lower == "localhost." ? [.loopbackIPv4, .loopbackIPv6] : []
    case .address(let address):
        return [ScopedAddress(address.ip.dialed, interface: address.interface)]
    }
}
