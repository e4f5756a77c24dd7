import NetworkTypes

/// Checks that listeners do not clash with each other or with the exporter, and that no route leads into a listener of
/// ours, the exporter's included, as far as the text of the file tells. (Names are checked again when they are
/// resolved.)
///
/// Listeners are ordered by port first: a file with thousands of routes must not be compared pair by pair.
func checkListeners(
    of drafts: [RouteDraft], exporter: Configuration.Exporter, at exporterOrigins: [Origin], diagnostics: Diagnostics
) {
    let claims = drafts.map { ListenerClaim.claims(of: $0) }
    let exporterClaims = claimsOfExporter(exporter, at: exporterOrigins)
    checkClashes(exporterClaims + claims.flatMap(\.self), diagnostics: diagnostics)
    checkLoops(drafts, claims, exporter: exporterClaims, diagnostics: diagnostics)
}

private func claimsOfExporter(_ exporter: Configuration.Exporter, at origins: [Origin]) -> [ListenerClaim] {
    let addresses = exporter.listen.enumerated().compactMap { index, listener -> (ListenAddress, Origin?)? in
        guard case .address(let address) = listener else { return nil }
        return (address, index < origins.count ? origins[index] : nil)
    }
    let paths = exporter.listen.enumerated().compactMap { index, listener -> ListenerClaim? in
        // One that is named twice is told by the list.
        guard case .unix(let path) = listener, exporter.listen.firstIndex(of: listener) == index else { return nil }
        return ListenerClaim(
            exporterAt: ListenerKey(ListenAddress(path)), origin: index < origins.count ? origins[index] : nil)
    }
    return paths
        + addresses.map { listen, origin in
            // `[::]` leaves IPv4 to `0.0.0.0` where that is listed as well.
            let isShared = addresses.contains { $0.0.address == .anyIPv4 && $0.0.port == listen.port }
            let key = ListenerKey(
                .tcp, address: listen.address, port: listen.port, isDualStack: listen.isDualStack && !isShared)
            return ListenerClaim(exporterAt: key, origin: origin)
        }
}

private func checkClashes(_ claims: [ListenerClaim], diagnostics: Diagnostics) {
    let shared = SharedPorts(claims, diagnostics: diagnostics)
    // The first clash of a claim, in the order of the file, says enough.
    var clashes: [Int: Int] = [:]
    for (first, second) in overlappingPairs(of: claims) {
        let (earlier, later) = (min(first, second), max(first, second))
        guard clashes[later].map({ earlier < $0 }) ?? true, !shared.contains(earlier, later) else { continue }
        clashes[later] = earlier
    }
    for (later, earlier) in clashes {
        let (claim, other) = (claims[later], claims[earlier])
        let transport = claim.key.transport.rawValue.uppercased()
        let line = other.origin?.remark(in: claim.origin) ?? ""
        let relation =
            claim.text == other.text ? "is also the listener" : "overlaps the listener \(other.text)"
        // Of two listeners the exporter's default alone is written nowhere.
        guard let origin = claim.origin ?? other.origin else { continue }
        diagnostics.error(
            origin,
            "\(claim.owner): the \(transport) listener \(claim.text) \(relation) of \(other.owner)\(line)")
    }
}

/// The pairs of claims, by their indices, of which both cannot be bound at once: found in the order of their ports.
private func overlappingPairs(of claims: [ListenerClaim]) -> [(Int, Int)] {
    var pairs: [(Int, Int)] = []
    // Claims that reach the present port, by what can be equal: an address, or the wildcards, which overlap others.
    var open: [Transport: OpenClaims] = [:]
    for index in claims.indices.sorted(by: { claims[$0].ports.lowerBound < claims[$1].ports.lowerBound }) {
        let claim = claims[index]
        for other in open[claim.key.transport, default: OpenClaims()].candidates(for: claim, among: claims)
        where claims[other].overlaps(claim) {
            pairs.append((other, index))
        }
        open[claim.key.transport, default: OpenClaims()].insert(index, of: claim)
    }
    return pairs
}

/// Claims whose ports have begun, in the order of ports.
private struct OpenClaims {
    private var byAddress: [ScopedAddress: [Int]] = [:]
    private var wildcards: [Int] = []

    mutating func insert(_ index: Int, of claim: ListenerClaim) {
        if claim.key.address.ip.isWildcard { wildcards.append(index) }
        byAddress[claim.key.address, default: []].append(index)
    }

    /// The claims that may overlap one whose ports begin behind theirs. Those that have ended are forgotten.
    mutating func candidates(for claim: ListenerClaim, among claims: [ListenerClaim]) -> [Int] {
        let port = claim.ports.lowerBound
        func reaches(_ index: Int) -> Bool { claims[index].ports.upperBound >= port }
        if claim.key.address.ip.isWildcard {
            for (address, indices) in byAddress {
                let left = indices.filter(reaches)
                byAddress[address] = left.isEmpty ? nil : left
            }
            wildcards.removeAll { !reaches($0) }
            return byAddress.values.flatMap(\.self)
        }
        wildcards.removeAll { !reaches($0) }
        let own = byAddress[claim.key.address, default: []].filter(reaches)
        byAddress[claim.key.address] = own
        return own + wildcards
    }
}

/// The listeners that several routes share: TCP listeners at one address, of which a route takes some clients only. The
/// exporter shares none.
private struct SharedPorts {
    private struct Address: Hashable {
        let address: ScopedAddress
        let isDualStack: Bool
        let path: UnixSocketPath?
    }

    /// Pairs of claims that share all the ports that they have in common.
    private var pairs: Set<[Int]> = []

    init(_ claims: [ListenerClaim], diagnostics: Diagnostics) {
        let tcp = claims.indices.filter { claims[$0].key.transport == .tcp }
        let byAddress = Dictionary(grouping: tcp) {
            let key = claims[$0].key
            return Address(address: key.address, isDualStack: key.isDualStack, path: key.path)
        }
        let checks = SharedListenerChecks(diagnostics: diagnostics)
        for indices in byAddress.values where indices.count > 1 {
            // Only claims that choose bring others together; ports without one are no business of this type.
            let choosing = indices.filter { claims[$0].draft.map { !$0.route.claims.isRest } ?? false }
            if choosing.isEmpty { continue }
            var seen: Set<[Int]> = []
            for ports in Self.pieces(of: indices.map { claims[$0].ports }, among: choosing.map { claims[$0].ports }) {
                let members = indices.filter { claims[$0].ports.contains(ports.lowerBound) }
                guard members.count > 1, members.allSatisfy({ !claims[$0].isExporter }),
                    SharedListenerChecks.mayShare(members.compactMap { claims[$0].draft }),
                    seen.insert(members).inserted
                else { continue }
                checks.check(members.compactMap { claims[$0].draft }, listener: claims[members[0]].text(of: ports))
                for (position, first) in members.enumerated() {
                    for second in members[(position + 1)...] { pairs.insert([first, second]) }
                }
            }
        }
    }

    func contains(_ first: Int, _ second: Int) -> Bool { pairs.contains([first, second]) }

    /// Cuts the ports of choosing claims where any range begins or ends, so that each piece is in a range or apart from
    /// it.
    private static func pieces(
        of ranges: [ClosedRange<UInt16>], among choosing: [ClosedRange<UInt16>]
    ) -> [ClosedRange<UInt16>] {
        var cuts: Set<Int> = []
        for range in ranges { cuts.formUnion([Int(range.lowerBound), Int(range.upperBound) + 1]) }
        let sorted = cuts.sorted()
        return zip(sorted, sorted.dropFirst()).compactMap { lower, next in
            let ports = UInt16(lower)...UInt16(next - 1)
            return choosing.contains { $0.overlaps(ports) } ? ports : nil
        }
    }
}

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

private func checkLoops(
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
        for (upstream, origin) in zip(draft.route.upstreams, draft.targetOrigins) {
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
