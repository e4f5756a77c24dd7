/// The table of the Maglev algorithm (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer",
/// NSDI 2016, section 3.4): each of 65,537 places belongs to a member. Each member has a permutation of all places,
/// made of two hashes of its text, and in turn takes the next free one of it; one with a lower weight sits out some
/// turns.
///
/// The size is the same for every set, because another one would move most clients. The members are in the order of
/// their texts, so that their order in a configuration has no effect.
final class MaglevTable: Sendable {
    /// A prime number, so that every skip makes a permutation.
    static let size = 65_537

    /// A member of the table.
    struct Member: Hashable, Comparable, Sendable {
        var text: String
        var weight: Int

        static func < (one: Member, other: Member) -> Bool {
            // By bytes: the order of strings follows tables of the standard library, which change.
            one.text.utf8.lexicographicallyPrecedes(other.text.utf8)
                || (one.text.utf8.elementsEqual(other.text.utf8) && one.weight < other.weight)
        }
    }

    /// The rank of each place's member, in the order of the members.
    let ranks: [UInt16]

    private static let offsetKey: (UInt64, UInt64) = (0x7269_6577, 0x7465_7366_666f)
    private static let skipKey: (UInt64, UInt64) = (0x7269_6577, 0x7069_6b73)

    /// Fills the table for members in order, at least 1 and at most 65,536. It takes milliseconds.
    init(_ members: [Member]) {
        precondition(!members.isEmpty && members.count < Self.size, "a table for no member, or for too many")
        let size = UInt32(Self.size)
        var positions = members.map { UInt32(SipHash.hash($0.text.utf8, key: Self.offsetKey) % UInt64(size)) }
        let skips = members.map { UInt32(SipHash.hash($0.text.utf8, key: Self.skipKey) % UInt64(size - 1)) + 1 }
        let weights = members.map { Int32(clamping: $0.weight) }
        let maxWeight = weights.max() ?? 1
        var credits = [Int32](repeating: 0, count: members.count)
        let free = UInt16.max
        var ranks = [UInt16](repeating: free, count: Self.size)
        var filled = 0
        while filled < Self.size {
            for rank in positions.indices {
                credits[rank] += weights[rank]
                if credits[rank] < maxWeight { continue }
                credits[rank] -= maxWeight
                var position = positions[rank]
                let skip = skips[rank]
                // As long as a place is free, each permutation finds it.
                while ranks[Int(position)] != free {
                    position += skip
                    if position >= size { position -= size }
                }
                ranks[Int(position)] = UInt16(rank)
                positions[rank] = position
                filled += 1
                if filled == Self.size { break }
            }
        }
        self.ranks = ranks
    }
}
