/// The order in which a scrape reads the counters that take part in derived gauges.
///
/// **Why the identity holds.** Each of these counters is read once per scrape, into the snapshot, and both its own line
/// and every gauge derived from it are printed from there. So `beginnings = gauge + endings` by construction.
///
/// **Why a derived gauge is never negative.** The plan lists the endings of each gauge before its beginnings. A thing
/// begins (add B, in some shard), reaches the thread where it ends through something that synchronises (the same thread,
/// or a hand-over between workers), and ends (add E, in any shard). So B happens before E. Every add releases, every
/// read acquires: a cell of a worker's shard has one writer, so that reading its n-th value synchronises with the n-th
/// store and everything before it; in the shared shard the additions form one release sequence. Hence if the scrape's
/// reading of an ending includes E, B happens before every read that follows in the plan, and these include all cells
/// of the beginning, in all shards: coherence makes them include B. Each ending that is counted is matched by its
/// beginning, so the difference is ≥ 0. What began meanwhile and has not ended only adds to it.
///
/// With several gauges the same must hold for each; a counter may end one thing and begin another. The plan is then a
/// topological order, endings first; registration refuses a cycle.
struct PlanEntry: BitwiseCopyable {
    let cells: ShardCells
    let slot: Int
}

/// Finds an order of reading. Pure: works on the serial numbers of counters.
enum ReadOrder {
    /// Orders all counters such that the endings of each gauge come before its beginnings; nil if there is a cycle.
    static func sorted(gauges: [(beginnings: [UInt64], endings: [UInt64])], counters: [UInt64]) -> [UInt64]? {
        var waitingFor: [UInt64: Int] = [:]
        var followers: [UInt64: [UInt64]] = [:]
        for gauge in gauges {
            for ending in gauge.endings {
                followers[ending, default: []] += gauge.beginnings
                for beginning in gauge.beginnings { waitingFor[beginning, default: 0] += 1 }
            }
        }
        var order = counters.filter { waitingFor[$0, default: 0] == 0 }
        var next = 0
        while next < order.count {
            for follower in followers[order[next], default: []] {
                let left = waitingFor[follower, default: 0] - 1
                waitingFor[follower] = left
                if left == 0 { order.append(follower) }
            }
            next += 1
        }
        return order.count == counters.count ? order : nil
    }
}
