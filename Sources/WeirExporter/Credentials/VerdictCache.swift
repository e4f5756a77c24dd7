/// Digests of credentials that were looked at, the latest of them.
struct VerdictCache {
    private let capacity: Int
    private var known: Set<KeyedDigest.Value> = []
    /// In the order of their arrival, as a ring.
    private var order: [KeyedDigest.Value] = []
    private var oldest = 0

    init(capacity: Int) {
        self.capacity = capacity
    }

    var count: Int { known.count }

    func contains(_ digest: KeyedDigest.Value) -> Bool { known.contains(digest) }

    /// Remembers one, and evicts the oldest where the cache is full.
    mutating func insert(_ digest: KeyedDigest.Value) {
        guard known.insert(digest).inserted else { return }
        if order.count < capacity { return order.append(digest) }
        known.remove(order[oldest])
        order[oldest] = digest
        oldest = (oldest + 1) % capacity
    }
}
