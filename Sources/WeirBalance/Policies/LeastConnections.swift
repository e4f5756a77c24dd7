/// The policy ``BalanceMethod/leastConnections``: the member with the fewest connections for its weight, one more than
/// now, over all workers. Equal ones take turns.
struct LeastConnections: SelectionPolicy {
    /// The member with which the next walk begins: of equal ones the first seen is chosen.
    private var start: Int

    init(_ view: borrowing MemberView, worker: Int) {
        start = Stagger.offset(of: worker, generation: view.layout.generation, among: view.count)
    }

    mutating func viewChanged(_ view: borrowing MemberView) {}

    mutating func pick(_ request: borrowing ChoiceRequest, _ view: inout MemberView) -> Pick {
        var best = Candidate()
        var full = Candidate()
        walk(start..<view.count, request, &view, &best, &full)
        walk(0..<start, request, &view, &best, &full)
        guard best.index >= 0 else { return .none }
        start = best.index + 1 < view.count ? best.index + 1 : 0
        return Pick(index: best.index, isLimited: full.index >= 0 && full.isBetter(than: best))
    }

    @inline(__always)
    private func walk(
        _ range: Range<Int>, _ request: borrowing ChoiceRequest, _ view: inout MemberView, _ best: inout Candidate,
        _ full: inout Candidate
    ) {
        for index in range where view.tiers[index] == request.tier {
            let count = view.cells[index].value
            // A count is never negative.
            let candidate = Candidate(
                index: index, load: UInt64(UInt32(bitPattern: count)) &+ 1, weight: UInt64(view.weights[index]))
            if !candidate.isBetter(than: best) { continue }
            if view.isFree(index, request) {
                best = candidate
            } else if count >= view.limits[index], candidate.isBetter(than: full) {
                full = candidate
            }
        }
    }

    private struct Candidate {
        var index = -1
        // As if one had infinitely many connections.
        var load: UInt64 = 1
        var weight: UInt64 = 0

        /// Fractions with a product of at most 2^48.
        @inline(__always)
        func isBetter(than other: Candidate) -> Bool { load &* other.weight < other.load &* weight }
    }
}
