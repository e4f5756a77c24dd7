/// The policy ``BalanceMethod/maglev``: the client's address chooses one of 65,537 places, each of which belongs to a
/// member. From a place whose member takes no clients the walk goes on to the next places, so that clients of other
/// members stay. Instances that share nothing choose alike.
struct Maglev: SelectionPolicy {
    init(_ view: borrowing MemberView, worker: Int) {}

    mutating func viewChanged(_ view: borrowing MemberView) {}

    mutating func pick(_ request: borrowing ChoiceRequest, _ view: inout MemberView) -> Pick {
        let hash = ClientHash.hash(request.client.ip)
        let start = Int(hash % UInt64(MaglevTable.size))
        // Bits that have no part in the place.
        let draw = UInt16(hash >> 56)
        let lists = view.layout.places
        switch request.tier {
        case .none: return .none
        case .primary: return walk(lists[0], from: start, draw, request, &view)
        // A set without a backup has one list.
        case .backup: return lists.count < 2 ? .none : walk(lists[1], from: start, draw, request, &view)
        case .out:
            let pick = walk(lists[0], from: start, draw, request, &view)
            return pick.index >= 0 || lists.count < 2 ? pick : walk(lists[1], from: start, draw, request, &view)
        }
    }

    private func walk(
        _ places: MaglevPlaces, from start: Int, _ draw: UInt16, _ request: borrowing ChoiceRequest,
        _ view: inout MemberView
    ) -> Pick {
        let first = places[start]
        if view.tiers[first] == request.tier, view.isReady(first, draw: draw), view.isFree(first, request) {
            return Pick(index: first)
        }
        let isLimited = view.sawLimit
        // Whether the walk ends is known before it begins: each member has a place.
        var isAnyReady = false
        var isAny = false
        for index in 0..<view.count where view.tiers[index] == request.tier && places.holds(index, view) {
            guard view.isFree(index, request) else { continue }
            isAny = true
            if view.isReady(index, draw: draw) {
                isAnyReady = true
                break
            }
        }
        guard isAny else { return .none }
        var place = start
        for _ in 0..<MaglevTable.size {
            let index = places[place]
            if view.tiers[index] == request.tier, !isAnyReady || view.isReady(index, draw: draw),
                view.isFree(index, request)
            {
                return Pick(index: index, isLimited: isLimited)
            }
            place = place + 1 < MaglevTable.size ? place + 1 : 0
        }
        return .none
    }
}
