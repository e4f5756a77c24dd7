/// The order in which a scrape reads the counters that take part in derived gauges.
///
/// **Why the identity holds.** Each of these counters is read once per scrape, into the snapshot, and both its own line
/// and every gauge derived from it are printed from there. So `beginnings = gauge + endings` by construction.
///
/// **Why a derived gauge is never negative.** The plan lists the endings of each gauge before its beginnings. A thing
/// begins (add B, in some shard), reaches the thread where it ends through a synchronizing step (program order, or a
/// hand-over between workers), and ends (add E, in any shard). So B happens before E. Every add releases, every
/// read acquires: a cell of a worker's shard has one writer, so that reading its n-th value synchronizes with the n-th
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

extension RegistryState {
    /// Makes the plan read these endings before these beginnings. Appends where that suffices (all counters new, or in
    /// order already), and sorts anew otherwise; refuses a cycle before anything is changed.
    mutating func plan(beginnings: [Series], endings: [Series], metric: String) throws(RegistrationError) {
        // A counter may be named twice, but one entry of the plan reads it.
        var fresh: [Series] = []
        var names: Set<UInt64> = []
        for series in endings + beginnings where series.planPosition == nil && names.insert(series.serial).inserted {
            fresh.append(series)
        }
        let afterAll = nextPlanPosition
        let lastEnding = endings.map { $0.planPosition ?? afterAll }.max() ?? -1
        let firstBeginning = beginnings.map { $0.planPosition ?? afterAll + 1 }.min() ?? Int.max
        let endingSerials = Set(endings.map(\.serial))
        guard !beginnings.contains(where: { endingSerials.contains($0.serial) }) else {
            throw .cyclicDerivation(metric: metric)
        }
        if lastEnding < firstBeginning {
            for series in fresh { append(series) }
            return
        }
        var gauges = derived.values.map { (beginnings: $0.beginnings.map(\.serial), endings: $0.endings.map(\.serial)) }
        gauges.append((beginnings.map(\.serial), endings.map(\.serial)))
        let all = planned + fresh
        guard let order = ReadOrder.sorted(gauges: gauges, counters: all.map(\.serial)) else {
            throw .cyclicDerivation(metric: metric)
        }
        let bySerial = Dictionary(uniqueKeysWithValues: all.map { ($0.serial, $0) })
        replacePlan(with: order.compactMap { bySerial[$0] })
    }

    /// Removes the counters that have left from the plan.
    mutating func unplan(_ leaving: Set<UInt64>) {
        let remaining = planned.filter { !leaving.contains($0.serial) }
        if remaining.count != planned.count { replacePlan(with: remaining) }
    }

    private mutating func append(_ series: Series) {
        let entry = makeEntry(series)
        planned.append(series)
        freeAfterReaders(plan.append(entry))
    }

    private mutating func replacePlan(with order: [Series]) {
        planned = order
        nextPlanPosition = 0
        var entries: [PlanEntry] = []
        for series in order { entries.append(makeEntry(series)) }
        freeAfterReaders(plan.replace(with: entries))
    }

    /// Gives the counter a slot and the next position.
    private mutating func makeEntry(_ series: Series) -> PlanEntry {
        let slot: Int
        if let known = series.slot {
            slot = known
        } else if let free = freeSlots.popLast() {
            slot = free
        } else {
            slot = nextSlot
            nextSlot += 1
        }
        series.slot = slot
        series.planPosition = nextPlanPosition
        nextPlanPosition += 1
        series.record.setSnapshotSlot(slot)
        return PlanEntry(cells: series.cells, slot: slot)
    }
}
