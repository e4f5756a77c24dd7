/// The work space of the protobuf renderer: messages whose length must be known before they are written. Keeps its
/// memory between scrapes.
struct ProtobufScratch: ~Copyable {
    /// The metrics of the family that is being rendered.
    var metrics = ByteOutput(capacity: 64)
    /// The histogram that is being rendered.
    var histogram = ByteOutput(capacity: 64)
    /// One reading of each of its cells, and of its classic buckets where it has no others.
    var counts: [UInt64] = []
    /// Runs of its exponential buckets.
    var spans: [Range<Int>] = []
}

/// Prints families in the delimited protobuf format.
enum ProtobufRenderer {
    private typealias Tag = ProtobufFormat.Tag

    /// The maximum number of empty buckets within a span: fewer bytes than a new span.
    private static let maxGap = 2
    /// An upper bound of a histogram's field in bytes: tag, length, and two numbers with their tags.
    private static let maxFieldLength = 2 + 2 * (1 + ByteOutput.maxVarintLength)

    /// Encodes some series of a family, or what the filter leaves of them, behind those in `scratch`; returns the
    /// number of lines that they take as text.
    static func render(
        _ piece: UnsafeBufferPointer<SeriesRecordPointer>, of family: Family, filter: PageFilter?, now: UInt64,
        snapshot: borrowing ScrapeSnapshot, scratch: inout ProtobufScratch
    ) -> Int {
        let scale = family.descriptor.scale
        let kind = family.descriptor.kind
        var lines = 0
        for position in 0..<piece.count {
            let series = unsafe piece[position]
            guard series.isVisible(at: now) else { continue }
            if let filter, unsafe !filter.matches(series.pairs) { continue }
            switch kind {
            case .counter:
                guard let value = TextRenderer.value(of: series, snapshot: snapshot) else { continue }
                write(scale.double(value), of: series, into: &scratch.metrics)
                lines += 1
            case .gauge:
                guard let value = gauge(series, snapshot: snapshot) else { continue }
                write(scale.double(signed: value), of: series, into: &scratch.metrics)
                lines += 1
            case .histogram:
                guard let bounds = family.bounds else { continue }
                writeHistogram(series, bounds: bounds, scale: scale, scratch: &scratch)
                lines += family.templates.lineCount
            }
        }
        return lines
    }

    /// Writes the family whose series are in `scratch`.
    static func write(_ family: Family, scratch: inout ProtobufScratch, into output: inout ByteOutput) {
        output.reserve(ByteOutput.maxVarintLength)
        output.write(varint: UInt64(family.protobufHeader.count + scratch.metrics.count))
        TextRenderer.write(family.protobufHeader, into: &output)
        output.append(scratch.metrics)
    }

    /// A gauge's reading; nil if the gauge appears on the next page only.
    private static func gauge(_ series: SeriesRecordPointer, snapshot: borrowing ScrapeSnapshot) -> Int64? {
        if series.slotCount > 0 { return TextRenderer.difference(of: series, snapshot: snapshot) }
        return Int64(bitPattern: unsafe series.record.pointee.cells.sum())
    }

    /// A counter or gauge: all but its value was encoded at registration.
    @inline(__always)
    private static func write(_ value: Double, of series: SeriesRecordPointer, into output: inout ByteOutput) {
        writePrefix(of: series, into: &output)
        output.reserve(8)
        output.write(fixed: value)
    }

    @inline(__always)
    private static func writePrefix(of series: SeriesRecordPointer, into output: inout ByteOutput) {
        let prefix = unsafe series.protobufPrefix
        output.reserve(prefix.count)
        guard let start = prefix.baseAddress else { return }
        unsafe output.write(start, count: prefix.count)
    }

    private static func writeHistogram(
        _ series: SeriesRecordPointer, bounds: BucketBounds, scale: MetricDescriptor.Scale,
        scratch: inout ProtobufScratch
    ) {
        let cells = unsafe series.record.pointee.cells
        let native = series.native
        scratch.histogram.removeAll()
        scratch.counts.removeAll(keepingCapacity: true)
        if let native {
            for cell in 0..<native.layout.cellCount { scratch.counts.append(native.sum(cell: cell)) }
        } else {
            for bucket in 0...bounds.count { scratch.counts.append(cells.sum(cell: 1 &+ bucket)) }
        }
        // Read after the buckets, as in text: an observation of this moment is in the sum rather than missing from it.
        writeTotals(sum: scale.double(cells.sum()), scratch: &scratch)
        writeClassic(bounds, native, scale: scale, scratch: &scratch)
        if let native { writeNative(native.layout, scratch: &scratch) }
        let start = unsafe series.record.pointee.protobufData.histogramStart
        scratch.histogram.reserve(start.count)
        if let bytes = start.baseAddress { unsafe scratch.histogram.write(bytes, count: start.count) }

        let length = UInt64(scratch.histogram.count)
        let prefix = unsafe series.protobufPrefix.count
        scratch.metrics.reserve(2 + 2 * ByteOutput.maxVarintLength)
        scratch.metrics.write(Tag.familyMetric)
        scratch.metrics.write(varint: UInt64(prefix) + 1 + UInt64(length.varintLength) + length)
        writePrefix(of: series, into: &scratch.metrics)
        scratch.metrics.reserve(1 + ByteOutput.maxVarintLength)
        scratch.metrics.write(Tag.metricHistogram)
        scratch.metrics.write(varint: length)
        scratch.metrics.append(scratch.histogram)
    }

    private static func writeTotals(sum: Double, scratch: inout ProtobufScratch) {
        var total: UInt64 = 0
        for count in scratch.counts { total &+= count }
        scratch.histogram.reserve(maxFieldLength)
        scratch.histogram.write(Tag.sampleCount)
        scratch.histogram.write(varint: total)
        scratch.histogram.write(Tag.sampleSum)
        scratch.histogram.write(fixed: sum)
    }

    /// The classic buckets but `+Inf`, which `sample_count` stands for.
    private static func writeClassic(
        _ bounds: BucketBounds, _ native: NativeCells?, scale: MetricDescriptor.Scale, scratch: inout ProtobufScratch
    ) {
        var cumulative: UInt64 = 0
        for bucket in 0..<bounds.count {
            let cells = native?.layout.cells(ofClassic: bucket) ?? bucket..<(bucket + 1)
            for cell in cells { cumulative &+= scratch.counts[cell] }
            scratch.histogram.reserve(maxFieldLength)
            scratch.histogram.write(Tag.bucket)
            scratch.histogram.write(UInt8(truncatingIfNeeded: 1 + cumulative.varintLength + 9))
            scratch.histogram.write(Tag.cumulativeCount)
            scratch.histogram.write(varint: cumulative)
            scratch.histogram.write(Tag.upperBound)
            scratch.histogram.write(fixed: scale.double(unsafe bounds.bounds[bucket]))
        }
    }

    /// Schema, zero bucket, and the other buckets as runs and differences.
    private static func writeNative(_ layout: borrowing NativeLayout, scratch: inout ProtobufScratch) {
        scratch.histogram.reserve(2 * maxFieldLength)
        scratch.histogram.write(Tag.schema)
        scratch.histogram.write(zigzag: Int64(layout.schema))
        scratch.histogram.write(Tag.zeroThreshold)
        scratch.histogram.write(fixed: layout.zeroThreshold)
        scratch.histogram.write(Tag.zeroCount)
        scratch.histogram.write(varint: count(ofBucket: 0, layout, scratch.counts))
        findSpans(layout, scratch: &scratch)
        var end = 0
        for span in scratch.spans {
            // The first offset is the number of the bucket, each other the length of the gap.
            let offset = Int64(end == 0 ? layout.lowestIndex + span.lowerBound - 1 : span.lowerBound - end)
            let length = UInt64(span.count)
            scratch.histogram.reserve(maxFieldLength)
            scratch.histogram.write(Tag.positiveSpan)
            scratch.histogram.write(
                UInt8(truncatingIfNeeded: 2 + UInt64(zigzag: offset).varintLength + length.varintLength))
            scratch.histogram.write(Tag.spanOffset)
            scratch.histogram.write(zigzag: offset)
            scratch.histogram.write(Tag.spanLength)
            scratch.histogram.write(varint: length)
            end = span.upperBound
        }
        var previous: UInt64 = 0
        for span in scratch.spans {
            for bucket in span {
                let count = count(ofBucket: bucket, layout, scratch.counts)
                scratch.histogram.reserve(maxFieldLength)
                scratch.histogram.write(Tag.positiveDelta)
                scratch.histogram.write(zigzag: Int64(bitPattern: count &- previous))
                previous = count
            }
        }
    }

    private static func findSpans(_ layout: borrowing NativeLayout, scratch: inout ProtobufScratch) {
        scratch.spans.removeAll(keepingCapacity: true)
        var start = 0
        var end = 0
        for bucket in 1...layout.bucketCount where count(ofBucket: bucket, layout, scratch.counts) > 0 {
            if end == 0 {
                start = bucket
            } else if bucket - end > maxGap {
                scratch.spans.append(start..<end)
                start = bucket
            }
            end = bucket + 1
        }
        if end > 0 { scratch.spans.append(start..<end) }
    }

    @inline(__always)
    private static func count(ofBucket bucket: Int, _ layout: borrowing NativeLayout, _ counts: [UInt64]) -> UInt64 {
        var total: UInt64 = 0
        for cell in layout.cells(ofBucket: bucket) { total &+= counts[cell] }
        return total
    }
}
