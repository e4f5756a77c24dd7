import NetworkTypes

/// The listeners that several routes share: TCP listeners at one address, of which a route takes some clients only. The
/// exporter shares none.
struct SharedPorts {
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
        var sharing: Set<Int> = []
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
                sharing.formUnion(members)
                checks.check(members.compactMap { claims[$0].draft }, listener: claims[members[0]].text(of: ports))
                for (position, first) in members.enumerated() {
                    for second in members[(position + 1)...] { pairs.insert([first, second]) }
                }
            }
        }
        var told: Set<String> = []
        for draft in sharing.sorted().compactMap({ claims[$0].draft }) where told.insert(draft.name).inserted {
            checks.warnOfGreeting(draft)
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
