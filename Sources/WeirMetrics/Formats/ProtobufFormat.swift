/// The constant parts of the protobuf format, encoded once per family or series at registration.
///
/// A page is a sequence of `io.prometheus.client.MetricFamily` messages, each preceded by its length as a varint. Names
/// are those of the text format, `_total` included; a label's value needs no escapes. Fields with default values are
/// written, too, so that readers of proto2 and proto3 see the same.
///
/// Source: `io/prometheus/client/metrics.proto` of prometheus/client_model; the numbers below are its field numbers.
enum ProtobufFormat {
    /// Tags: field number × 8 + wire type (0 varint, 1 eight bytes, 2 bytes with their length).
    enum Tag {
        static let familyName: UInt8 = 0x0a
        static let familyHelp: UInt8 = 0x12
        static let familyType: UInt8 = 0x18
        static let familyMetric: UInt8 = 0x22
        static let familyUnit: UInt8 = 0x2a
        static let metricLabel: UInt8 = 0x0a
        static let metricGauge: UInt8 = 0x12
        static let metricCounter: UInt8 = 0x1a
        static let metricHistogram: UInt8 = 0x3a
        static let labelName: UInt8 = 0x0a
        static let labelValue: UInt8 = 0x12
        /// When a counter began.
        static let counterStart: UInt8 = 0x1a
        /// When a histogram began.
        static let histogramStart: UInt8 = 0x7a
        static let timestampSeconds: UInt8 = 0x08
        static let timestampNanoseconds: UInt8 = 0x10
        /// The value of a counter or a gauge.
        static let value: UInt8 = 0x09
        static let sampleCount: UInt8 = 0x08
        static let sampleSum: UInt8 = 0x11
        static let bucket: UInt8 = 0x1a
        static let cumulativeCount: UInt8 = 0x08
        static let upperBound: UInt8 = 0x11
        static let schema: UInt8 = 0x28
        static let zeroThreshold: UInt8 = 0x31
        static let zeroCount: UInt8 = 0x38
        static let positiveSpan: UInt8 = 0x62
        static let positiveDelta: UInt8 = 0x68
        static let spanOffset: UInt8 = 0x08
        static let spanLength: UInt8 = 0x10
    }

    /// Bytes of the value in a `Counter` or `Gauge` message: a tag and a double.
    private static let valueByteCount = 9

    /// All fields of a family but its metrics.
    static func header(of descriptor: MetricDescriptor) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(field: Tag.familyName, descriptor.name.utf8)
        bytes.append(field: Tag.familyHelp, descriptor.help.utf8)
        bytes.append(Tag.familyType)
        switch descriptor.kind {
        case .counter: bytes.append(0)
        case .gauge: bytes.append(1)
        case .histogram: bytes.append(4)
        }
        // Prometheus 3.0 to 3.8 refuses the whole page for a unit that the name does not carry.
        if let unit = OpenMetricsFormat.unit(of: descriptor) { bytes.append(field: Tag.familyUnit, unit.utf8) }
        return bytes
    }

    /// The bytes that precede the values of a series: for a counter or gauge everything but the eight bytes of its
    /// value, for a histogram the labels only, because its length is not known yet.
    ///
    /// A counter tells when it began (`created_timestamp`), in nanoseconds since 1970. No text format does: Prometheus
    /// stores the `_created` samples of OpenMetrics 1.0 as series of their own, unless a feature flag is set.
    static func prefix(of descriptor: MetricDescriptor, labels: [String], began: Int64?) -> [UInt8] {
        var pairs: [UInt8] = []
        for (name, value) in zip(descriptor.labelNames, labels) {
            var pair: [UInt8] = []
            pair.append(field: Tag.labelName, name.utf8)
            pair.append(field: Tag.labelValue, value.utf8)
            pairs.append(field: Tag.metricLabel, pair)
        }
        let kind: UInt8
        switch descriptor.kind {
        case .counter: kind = Tag.metricCounter
        case .gauge: kind = Tag.metricGauge
        case .histogram: return pairs
        }
        let start = kind == Tag.metricCounter ? timestamp(began, tag: Tag.counterStart) : []
        let messageByteCount = start.count + valueByteCount
        var bytes = [Tag.familyMetric]
        bytes.append(varint: pairs.count + 2 + messageByteCount)
        bytes += pairs
        bytes += [kind, UInt8(messageByteCount)]
        bytes += start
        bytes.append(Tag.value)
        return bytes
    }

    /// When a histogram began, as a field of its message; nothing for other kinds.
    static func histogramStart(of descriptor: MetricDescriptor, began: Int64?) -> [UInt8] {
        if case .histogram = descriptor.kind { timestamp(began, tag: Tag.histogramStart) } else { [] }
    }

    /// A `google.protobuf.Timestamp`, of 14 bytes at most; nothing where there is no time.
    private static func timestamp(_ nanoseconds: Int64?, tag: UInt8) -> [UInt8] {
        guard let nanoseconds else { return [] }
        let (seconds, rest) = max(0, nanoseconds).quotientAndRemainder(dividingBy: 1_000_000_000)
        var message = [Tag.timestampSeconds]
        message.append(varint: Int(seconds))
        message.append(Tag.timestampNanoseconds)
        message.append(varint: Int(rest))
        var field: [UInt8] = []
        field.append(field: tag, message)
        return field
    }
}
