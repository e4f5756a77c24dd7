extension RegistryState {
    /// Removes one owner. The time to live begins when the last one goes; a series that does not stay visible has none.
    /// `now` is the same for a whole group, so that a scrape shows all of it or none.
    mutating func release(_ series: Series, now: UInt64, staysVisible: Bool = true) {
        guard series.owners > 0 else { return }
        series.owners -= 1
        guard series.owners == 0 else { return }
        let (sum, overflow) = now.addingReportingOverflow(staysVisible ? retiredSeriesTTL : 0)
        series.deadline = overflow ? .max - 1 : min(sum, .max - 1)
        series.record.setExpiry(series.deadline)
        series.shardEpoch = readers.advance()
        let retirement = Retirement(series: series, deadline: series.deadline)
        if staysVisible { retired.append(retirement) } else { departed.append(retirement) }
        for component in series.components { release(component, now: now) }
    }

    /// Moves each series that is leaving on to the next stage that the running scrapes and the shards permit. Called by
    /// each registration and retirement; cheap when there is nothing to do.
    mutating func sweep(now: UInt64) {
        expire(now: now)
        guard !expired.isEmpty || !unlinked.isEmpty || !deferredFrees.isEmpty else { return }
        // A scrape that shows an expired series must not lose half of its group: it ends first.
        unlink(readBefore: readers.oldestRunning)
        // And a scrape that still holds an old list must not see reused cells.
        free(readBefore: readers.oldestRunning)
    }

    private mutating func expire(now: UInt64) {
        let count = retired.prefix { $0.deadline <= now }.count
        guard count > 0 || !departed.isEmpty else { return }
        var leaving: [Series] = []
        for entry in departed + retired.prefix(count) {
            // Revived, or revived and retired again with a later entry of its own.
            guard entry.series.owners == 0, entry.series.deadline == entry.deadline,
                bySerial.removeValue(forKey: entry.series.serial) != nil
            else { continue }
            entries[entry.series.family.descriptor.name]?.byLabels[entry.series.labels] = nil
            derived[entry.series.serial] = nil
            leaving.append(entry.series)
        }
        departed = []
        retired.removeFirst(count)
        let epoch = readers.advance()
        expired += leaving.map { ($0, epoch) }
    }

    private mutating func unlink(readBefore oldest: UInt64) {
        let count = expired.prefix { $0.epoch <= oldest }.count
        guard count > 0 else { return }
        let leaving = expired.prefix(count).map(\.series)
        expired.removeFirst(count)
        let serials = Set(leaving.map(\.serial))
        unplan(serials)
        let expiredRecords = Set(leaving.map { $0.record.address })
        var seen: Set<ObjectIdentifier> = []
        for series in leaving where seen.insert(ObjectIdentifier(series.family)).inserted {
            let list = series.family.series
            let remaining = unsafe list.published.filter { !expiredRecords.contains($0.address) }
            freeAfterReaders(list.replace(with: remaining))
        }
        let epoch = readers.advance()
        unlinked += leaving.map { ($0, epoch) }
    }

    private mutating func free(readBefore oldest: UInt64) {
        let blocks = deferredFrees.prefix { $0.epoch <= oldest }.count
        for item in deferredFrees.prefix(blocks) { item.block.deallocate() }
        deferredFrees.removeFirst(blocks)

        let acknowledged = acknowledgements.oldest
        let count = unlinked.prefix { $0.epoch <= oldest && $0.series.shardEpoch <= acknowledged }.count
        for item in unlinked.prefix(count) {
            let series = item.series
            if !series.isDerived { cells.free(series.cells, width: series.family.cellCount) }
            if let native = series.native, let layout = unsafe series.family.nativeLayout {
                unsafe nativeCells.free(native, layout)
            }
            if let slot = series.slot { freeSlots.append(slot) }
            lines -= series.lines
            if let entry = entries[series.family.descriptor.name] {
                series.record.free(in: entry.records, protobufArena: entry.protobufArena)
            }
        }
        unlinked.removeFirst(count)
    }
}
