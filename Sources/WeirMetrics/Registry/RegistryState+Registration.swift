extension RegistryState {
    /// The entry of that descriptor's family, created if it is new.
    mutating func entry(for descriptor: MetricDescriptor) throws(RegistrationError) -> FamilyEntry {
        if let known = entries[descriptor.name] {
            if let difference = descriptor.difference(from: known.family.descriptor) {
                throw .descriptorMismatch(metric: descriptor.name, difference)
            }
            return known
        }
        try descriptor.validate()
        for name in descriptor.occupiedNames where occupiedNames[name] != nil {
            throw .nameTaken(metric: descriptor.name, name: name)
        }
        for name in descriptor.occupiedNames { occupiedNames[name] = descriptor.name }
        let family = Family(descriptor: descriptor, nativeSchema: nativeSchema, shardCount: cells.shardCount)
        let entry = FamilyEntry(family)
        entries[descriptor.name] = entry
        if descriptor.isExposed {
            freeAfterReaders(families.append(FamilyReference(family)))
        }
        return entry
    }

    /// The series of that descriptor and those labels: the one that exists (revived if it was retired), or a new one.
    /// A hidden one is shown from the first registration without `isHidden` on.
    mutating func series(
        _ descriptor: MetricDescriptor, labels: [String], isHidden: Bool = false, now: UInt64, dropped: (Int) -> Void
    ) throws(RegistrationError) -> Series {
        let entry = try checkedEntry(for: descriptor, labels: labels)
        if let known = entry.byLabels[labels] {
            guard !known.isDerived else { throw .derivationMismatch(metric: descriptor.name) }
            if known.isHidden, !isHidden {
                try checkLimit(descriptor, dropped: dropped)
                show(known)
            }
            retain(known)
            return known
        }
        if !isHidden { try checkLimit(descriptor, dropped: dropped) }
        let taken = cells.allocate(width: entry.family.cellCount)
        var native: NativeCells?
        if let layout = unsafe entry.family.nativeLayout { native = unsafe nativeCells.allocate(layout) }
        let began = wallClock?()
        let protobufData = SeriesProtobufData(
            in: entry.protobufArena, native: native,
            protobuf: ProtobufFormat.prefix(of: descriptor, labels: labels, began: began),
            histogramStart: ProtobufFormat.histogramStart(of: descriptor, began: began))
        let record = SeriesRecordPointer(
            in: entry.records, cells: taken, protobufData: protobufData, visibleFrom: now,
            pairs: TextFormat.pairs(of: descriptor, labels: labels), beginnings: [], endings: [])
        return add(
            Series(
                family: entry.family, labels: labels, cells: taken, native: native, record: record, beginnings: [],
                endings: [], isDerived: false, isHidden: isHidden))
    }

    /// The derived gauge of that descriptor and those labels.
    mutating func derivedGauge(
        _ descriptor: MetricDescriptor, labels: [String], beginnings: [UInt64], endings: [UInt64], now: UInt64,
        dropped: (Int) -> Void
    ) throws(RegistrationError) -> Series {
        let entry = try checkedEntry(for: descriptor, labels: labels)
        let begun = try counters(beginnings, for: descriptor)
        let ended = try counters(endings, for: descriptor)
        if let known = entry.byLabels[labels] {
            guard known.isDerived, known.beginnings.map(\.serial) == beginnings,
                known.endings.map(\.serial) == endings
            else { throw .derivationMismatch(metric: descriptor.name) }
            retain(known)
            return known
        }
        try checkLimit(descriptor, dropped: dropped)
        try plan(beginnings: begun, endings: ended, metric: descriptor.name)
        for component in begun + ended { retain(component) }
        let unused = begun.first?.cells ?? ended.first?.cells ?? cells.allocate(width: 1)
        let protobufData = SeriesProtobufData(
            in: entry.protobufArena, native: nil,
            protobuf: ProtobufFormat.prefix(of: descriptor, labels: labels, began: nil))
        let record = SeriesRecordPointer(
            in: entry.records, cells: unused, protobufData: protobufData, visibleFrom: now,
            pairs: TextFormat.pairs(of: descriptor, labels: labels), beginnings: begun.compactMap(\.slot),
            endings: ended.compactMap(\.slot))
        let series = add(
            Series(
                family: entry.family, labels: labels, cells: unused, record: record, beginnings: begun, endings: ended,
                isDerived: true))
        derived[series.serial] = series
        return series
    }

    /// Adds an owner; revokes a retirement.
    func retain(_ series: Series) {
        series.owners += 1
        guard series.owners == 1 else { return }
        series.deadline = .max
        series.record.setExpiry(.max)
        for component in series.components { retain(component) }
    }

    private mutating func checkedEntry(
        for descriptor: MetricDescriptor, labels: [String]
    ) throws(RegistrationError) -> FamilyEntry {
        let entry = try entry(for: descriptor)
        guard labels.count == descriptor.labelNames.count else {
            throw .labelCountMismatch(
                metric: descriptor.name, expected: descriptor.labelNames.count, found: labels.count)
        }
        return entry
    }

    private func checkLimit(_ descriptor: MetricDescriptor, dropped: (Int) -> Void) throws(RegistrationError) {
        let more = descriptor.isExposed ? descriptor.kind.lineCount : 0
        guard lines + more <= maxSeries else {
            dropped(more)
            throw .seriesLimitReached(metric: descriptor.name, limit: maxSeries)
        }
    }

    private func counters(_ serials: [UInt64], for descriptor: MetricDescriptor) throws(RegistrationError) -> [Series] {
        var found: [Series] = []
        for serial in serials {
            guard let series = bySerial[serial] else { throw .unknownCounter(metric: descriptor.name) }
            found.append(series)
        }
        return found
    }

    private mutating func add(_ series: Series) -> Series {
        entries[series.family.descriptor.name]?.byLabels[series.labels] = series
        bySerial[series.serial] = series
        if !series.isHidden { publish(series) }
        return series
    }

    private mutating func publish(_ series: Series) {
        lines += series.lines
        freeAfterReaders(series.family.series.append(series.record))
    }

    /// Puts a hidden series on the page. It stays there as long as it lives: its count belongs to sums that other
    /// series show.
    private mutating func show(_ series: Series) {
        series.isHidden = false
        publish(series)
    }
}
