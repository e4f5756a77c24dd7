import Synchronization

/// How many connections or sessions a route has, over all listeners and workers.
final class RouteCount: Sendable {
    private let open = Atomic<Int>(0)

    var value: Int { open.load(ordering: .relaxed) }

    /// Counts one more unless `limit` is reached. Exact: two workers cannot both take the last place.
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
