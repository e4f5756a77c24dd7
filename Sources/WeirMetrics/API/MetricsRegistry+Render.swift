extension MetricsRegistry {
    /// The work of one piece of a page, in lines: below 2 ms.
    public static let pieceWork = 32_768

    /// Renders a page of all series, or of those that `filter` matches, into `buffer`, replacing its contents. Takes no
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
        beginPage(in: &buffer, format: format, filter: filter)
        while !renderPiece(into: &buffer, work: .max) {}
        return buffer.seriesLines
    }

    /// Begins a page that is rendered in pieces, for threads that have other work between them. The pieces together are
    /// the page of ``render(into:format:filter:)``: of the series of this moment, whatever is registered or retired
    /// meanwhile. A page that was begun in this buffer before is dropped.
    public func beginPage(in buffer: inout ScrapeBuffer, format: ExpositionFormat, filter: PageFilter? = nil) {
        buffer.dropPage()
        callbacks.callAll()
        readers.enter(readerSlot(for: &buffer))
        // After the announcement: what expires later than this moment stays linked until the scrape is over.
        let now = clock()
        buffer.output.removeAll()
        buffer.seriesLines = 0
        takeSnapshot(into: &buffer.snapshot)
        buffer.page = unsafe PageProgress(format: format, filter: filter, now: now, families: families.published)
    }

    /// Renders the next piece of the page that was begun in `buffer`, replacing the piece before it.
    ///
    /// - Parameters:
    ///   - buffer: the buffer with the page.
    ///   - work: about how many lines; a series that the filter looks at counts, too.
    /// - Returns: whether the page is complete. Then `ScrapeBuffer.seriesLines` is the number of its series lines.
    public func renderPiece(into buffer: inout ScrapeBuffer, work: Int = pieceWork) -> Bool {
        guard var page = buffer.page.take() else { return true }
        buffer.output.removeAll()
        var work = work
        while work > 0, unsafe page.family < page.families.count {
            unsafe page.families[page.family].with { family in
                render(family, of: &page, work: &work, into: &buffer)
            }
        }
        guard unsafe page.family == page.families.count else {
            buffer.page = page
            return false
        }
        if page.format == .openMetrics100 { TextRenderer.write(OpenMetricsFormat.end, into: &buffer.output) }
        buffer.dropPage()
        return true
    }

    /// Renders as many series of a family as `work` allows, and goes over to the next family at its end.
    private func render(
        _ family: Family, of page: inout PageProgress, work: inout Int, into buffer: inout ScrapeBuffer
    ) {
        if page.series == 0 {
            work -= PageProgress.familyWork
            if let filter = page.filter, !filter.matches(family.descriptor) {
                page.family += 1
                return
            }
            unsafe page.familySeries = family.series.published
            buffer.protobuf.metrics.removeAll()
        }
        let isProtobuf = page.format == .delimitedProtobuf
        let cost = page.workPerSeries(of: family)
        let room = max(1, work / cost)
        let rest = unsafe page.familySeries.count - page.series
        let end = page.series + min(room, rest)
        let piece = unsafe UnsafeBufferPointer(rebasing: page.familySeries[page.series..<end])
        let lines =
            if isProtobuf {
                unsafe ProtobufRenderer.render(
                    piece, of: family, filter: page.filter, now: page.now, snapshot: buffer.snapshot,
                    scratch: &buffer.protobuf)
            } else {
                unsafe TextRenderer.render(
                    piece, of: family, page.format, filter: page.filter, now: page.now, snapshot: buffer.snapshot,
                    isAnnounced: &page.isFamilyAnnounced, into: &buffer.output)
            }
        buffer.seriesLines += lines
        page.familyLines += lines
        work -= piece.count * cost
        page.series = end
        guard unsafe end == page.familySeries.count else { return }
        if isProtobuf, page.familyLines > 0 {
            ProtobufRenderer.write(family, scratch: &buffer.protobuf, into: &buffer.output)
        }
        page.beginNextFamily()
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
