extension MetricsRegistry {
    /// Renders a page of all series, or of those that `filter` admits, into `buffer`, replacing its contents. Takes no
    /// lock, waits for no other thread, and allocates nothing once the buffer has grown to the size of the page. Any
    /// thread; several at once with a buffer each. The page has:
    ///
    /// - families in the order in which they were declared, series in the order in which they were registered;
    /// - all values of a derived gauge and its counters from one reading of each counter (see ``DerivedGauge``);
    /// - retired series until their time to live has passed; no families without series.
    ///
    /// - Returns: the number of series lines.
    @discardableResult
    public func render(
        into buffer: inout ScrapeBuffer, format: ExpositionFormat = .text004, filter: PageFilter? = nil
    ) -> Int {
        callbacks.callAll()
        let slot = readerSlot(for: &buffer)
        readers.enter(slot)
        defer { readers.leave(slot) }
        // Read after the announcement: a series that expires later than this moment stays linked until the scrape is
        // over.
        let now = clock()
        buffer.output.removeAll()
        takeSnapshot(into: &buffer.snapshot)
        var lines = 0
        families.forEach { reference in
            lines += reference.with { family in
                if format == .delimitedProtobuf {
                    return ProtobufRenderer.render(
                        family, filter: filter, now: now, snapshot: buffer.snapshot, scratch: &buffer.protobuf,
                        into: &buffer.output)
                }
                return TextRenderer.render(
                    family, format, filter: filter, now: now, snapshot: buffer.snapshot, into: &buffer.output)
            }
        }
        if format == .openMetrics100 { TextRenderer.write(OpenMetricsFormat.end, into: &buffer.output) }
        buffer.seriesLines = lines
        return lines
    }

    /// Reads every counter that takes part in a derived gauge, once, in the order of the plan.
    private func takeSnapshot(into snapshot: inout ScrapeSnapshot) {
        snapshot.begin()
        plan.forEach { entry in
            snapshot.record(entry.cells.sum(), slot: entry.slot)
        }
    }

    private func readerSlot(for buffer: inout ScrapeBuffer) -> ScrapeReaders.Slot {
        if let slot = buffer.slot {
            if slot.owner == readers.serial { return slot }
            slot.isTaken.store(false, ordering: .releasing)
        }
        let slot = readers.take()
        buffer.slot = slot
        return slot
    }
}
