import NetworkTypes

/// Claims by their ports.
private struct ClaimIndex {
    private struct Listening: Hashable {
        let transport: Transport
        let port: UInt16
    }

    private var single: [Listening: [ListenerClaim]] = [:]
    private var ranges: [ListenerClaim] = []

    mutating func insert(_ claim: ListenerClaim) {
        if claim.ports.count > 1 {
            ranges.append(claim)
        } else {
            single[Listening(transport: claim.key.transport, port: claim.key.port), default: []].append(claim)
        }
    }

    /// The first claim that has one of the ports, and for which the condition holds.
    func first(
        _ transport: Transport, _ ports: ClosedRange<UInt16>, where isHit: (ListenerClaim) -> Bool
    ) -> ListenerClaim? {
        for port in ports {
            if let hit = single[Listening(transport: transport, port: port)]?.first(where: isHit) { return hit }
        }
        return ranges.first { $0.key.transport == transport && $0.ports.overlaps(ports) && isHit($0) }
    }
}

/// Checks that no target of a route is one of these listeners, as far as its text tells.
func checkLoops(
    _ drafts: [RouteDraft], _ claims: [[ListenerClaim]], exporter: [ListenerClaim], diagnostics: Diagnostics
) {
    var index = ClaimIndex()
    var ownAddresses: Set<ScopedAddress> = []
    for claim in claims.flatMap(\.self) + exporter {
        index.insert(claim)
        if claim.key.path == nil, !claim.key.address.ip.isWildcard { ownAddresses.insert(claim.key.address) }
    }
    let paths = Dictionary(
        claims.flatMap(\.self).compactMap { claim in claim.key.path.map { ($0, claim) } },
        uniquingKeysWith: { first, _ in first })
    for (draft, own) in zip(drafts, claims) {
        guard let claim = own.first, draft.has("host", "upstreams") else { continue }
        // What an agent dials is on its side.
        for (upstream, origin) in zip(draft.route.upstreams, draft.targetOrigins) where upstream.agent == nil {
            let addresses = dialedAddresses(upstream.host)
            let dialed = upstream.port.map { [$0...$0] } ?? draft.route.ports.map(\.target)
            var hit = upstream.host.unixPath.flatMap { paths[$0] }
            for ports in dialed where hit == nil && !addresses.isEmpty {
                hit = index.first(claim.key.transport, ports) { listener in
                    addresses.contains {
                        listener.key.takes($0, isLocal: $0.ip.isLoopback || ownAddresses.contains($0))
                    }
                }
            }
            guard let hit else { continue }
            let target = upstream.text(targetPorts: draft.route.targetPorts)
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
    case .unix: return []
    }
}
