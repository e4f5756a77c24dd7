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
