/// Prints families in the text formats: copies the templates of registration and prints the values between.
enum TextRenderer {
    /// Prints some series of a family, or what the filter leaves of them; returns the number of series lines. The
    /// family's header comes before the first of them, unless it is announced.
    static func render(
        _ piece: UnsafeBufferPointer<SeriesRecordPointer>, of family: Family, _ format: ExpositionFormat,
        filter: PageFilter?, now: UInt64, snapshot: borrowing ScrapeSnapshot, isAnnounced announced: inout Bool,
        into output: inout ByteOutput
    ) -> Int {
        let (scale, templates) = (family.descriptor.scale, family.templates)
        let kind = family.descriptor.kind
        let lineCount = templates.lineCount
        var lines = 0
        var isAnnounced = announced
        defer { announced = isAnnounced }
        for position in 0..<piece.count {
            let series = unsafe piece[position]
            guard series.isVisible(at: now) else { continue }
            let pairs = unsafe series.pairs
            if let filter, unsafe !filter.matches(pairs) { continue }
            if !isAnnounced { write(family.header(format), into: &output) }
            isAnnounced = true
            let maxLineBytes = pairs.count &+ ByteOutput.maxValueLength
            output.reserve(templates.textBytes &+ lineCount &* maxLineBytes)
            switch kind {
            case .counter:
                guard let value = value(of: series, snapshot: snapshot) else { continue }
                unsafe writeOnly(templates, pairs, into: &output)
                output.writeLine(value, scale: scale)
            case .gauge where series.slotCount > 0:
                guard let difference = difference(of: series, snapshot: snapshot) else { continue }
                unsafe writeOnly(templates, pairs, into: &output)
                output.writeLine(signed: difference, scale: scale)
            case .gauge:
                unsafe writeOnly(templates, pairs, into: &output)
                let value = unsafe series.record.pointee.cells.sum()
                output.writeLine(signed: Int64(bitPattern: value), scale: scale)
            case .histogram:
                writeHistogram(
                    series, templates: templates, hasNative: family.hasNative, scale: scale, into: &output)
            }
            lines &+= lineCount
        }
        return lines
    }

    /// A counter's reading in the snapshot if a gauge is derived from it: the only reading of this scrape. A counter
    /// outside of every derived gauge is read here.
    ///
    /// Nil if the gauge was registered after this scrape read the plan: it is not on this page, and printing a count
    /// without it would break the identity, so both appear in the next. Counters of the same gauge that were printed
    /// before it was registered are harmless, because nothing is counted before registration is complete.
    @inline(__always)
    static func value(of series: SeriesRecordPointer, snapshot: borrowing ScrapeSnapshot) -> UInt64? {
        // Acquire: a slot that was given before the plan was read is seen.
        let slot = unsafe series.record.pointee.snapshotSlot.load(ordering: .acquiring)
        return slot >= 0 ? snapshot.value(slot: slot) : unsafe series.record.pointee.cells.sum()
    }

    /// Beginnings − endings; nil if the gauge was registered after this scrape read the plan: it appears in the next.
    static func difference(of series: SeriesRecordPointer, snapshot: borrowing ScrapeSnapshot) -> Int64? {
        let beginnings = unsafe Int(series.record.pointee.beginnings)
        var total: UInt64 = 0
        for position in 0..<series.slotCount {
            let slot = unsafe series.slots.load(fromByteOffset: position * 4, as: UInt32.self)
            guard let value = snapshot.value(slot: Int(slot)) else { return nil }
            total = position < beginnings ? total &+ value : total &- value
        }
        return Int64(bitPattern: total)
    }

    private static func writeHistogram(
        _ series: SeriesRecordPointer, templates: LineTemplates, hasNative: Bool, scale: MetricDescriptor.Scale,
        into output: inout ByteOutput
    ) {
        let (cells, pairs) = unsafe (series.record.pointee.cells, series.pairs)
        let native = hasNative ? series.native : nil
        var cursor = unsafe templates.first
        var total: UInt64 = 0
        for bucket in 1..<(templates.lineCount &- 1) {
            total &+= native?.sum(classic: bucket &- 1) ?? cells.sum(cell: bucket)
            unsafe output.writeLineStart(&cursor, pairs: pairs)
            output.writeLine(total, scale: .one)
        }
        unsafe output.writeLineStart(&cursor, pairs: pairs)
        output.writeLine(cells.sum(), scale: scale)
        unsafe output.writeLineStart(&cursor, pairs: pairs)
        output.writeLine(total, scale: .one)
    }

    /// Prints the line of a one-line series up to its value.
    @inline(__always)
    private static func writeOnly(
        _ templates: LineTemplates, _ pairs: UnsafeRawBufferPointer, into output: inout ByteOutput
    ) {
        var cursor = unsafe templates.first
        unsafe output.writeLineStart(&cursor, pairs: pairs)
    }

    /// Appends a text.
    static func write(_ text: [UInt8], into output: inout ByteOutput) {
        output.reserve(text.count)
        unsafe text.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return }
            unsafe output.write(start, count: bytes.count)
        }
    }
}
