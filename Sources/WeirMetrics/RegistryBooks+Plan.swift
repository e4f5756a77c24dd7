extension RegistryBooks {
    /// Makes the plan read these endings before these beginnings. Appends where that suffices (all counters new, or in
    /// order already), and sorts anew otherwise; refuses a cycle before anything is changed.
    mutating func plan(beginnings: [Series], endings: [Series], metric: String) throws(RegistrationError) {
        // A counter may be named twice, but only one line of the plan reads it.
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

    /// Drops counters that left from the plan.
    mutating func unplan(_ leaving: Set<UInt64>) {
        let remaining = planned.filter { !leaving.contains($0.serial) }
        if remaining.count != planned.count { replacePlan(with: remaining) }
    }

    private mutating func append(_ series: Series) {
        let entry = makeEntry(series)
        planned.append(series)
        abandon(plan.append(entry))
    }

    private mutating func replacePlan(with order: [Series]) {
        planned = order
        nextPlanPosition = 0
        var entries: [PlanEntry] = []
        for series in order { entries.append(makeEntry(series)) }
        abandon(plan.replace(with: entries))
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
