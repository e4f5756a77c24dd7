import Synchronization

/// The number of a route's connections or sessions over all listeners and workers. Safe from any thread.
final class RouteCount: Sendable {
    private let open = Atomic<Int>(0)

    var value: Int { open.load(ordering: .relaxed) }

    /// Counts one more and returns true, or returns false where `limit` is reached. Exact: two workers cannot both take
    /// the last one.
    func enter(limit: Int?) -> Bool {
        if let limit, open.add(1, ordering: .relaxed).newValue > limit {
            open.subtract(1, ordering: .relaxed)
            return false
        }
        if limit == nil { open.add(1, ordering: .relaxed) }
        return true
    }

    func leave() { open.subtract(1, ordering: .relaxed) }
}
