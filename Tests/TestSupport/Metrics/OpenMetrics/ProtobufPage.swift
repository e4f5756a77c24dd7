/// A page in the delimited protobuf format, decoded by the wire format's specification and the field numbers of
/// `io/prometheus/client/metrics.proto`. It shares no code with what makes pages, and takes nothing it does not know.
package struct ProtobufPage: Sendable {
    package struct Malformed: Error, CustomStringConvertible {
        package let description: String
    }

    package struct Family: Sendable {
        package var name = ""
        package var help = ""
        package var type: UInt64?
        package var unit = ""
        package var metrics: [Metric] = []
    }

    package struct Metric: Sendable {
        package var labels: [(name: String, value: String)] = []
        package var gauge: Double?
        package var counter: Double?
        /// When a counter or a histogram began, in nanoseconds since 1970.
        package var began: Int64?
        package var histogram: Histogram?
    }

    package struct Histogram: Sendable {
        package var count: UInt64?
        package var sum: Double?
        package var buckets: [(upperBound: Double, cumulative: UInt64)] = []
        package var schema: Int64?
        package var zeroThreshold: Double?
        package var zeroCount: UInt64?
        package var spans: [(offset: Int64, length: UInt64)] = []
        package var deltas: [Int64] = []
        package var began: Int64?

        /// Counts by Prometheus' bucket numbers, spans and deltas undone.
        package func positiveBuckets() throws -> [Int: UInt64] {
            var buckets: [Int: UInt64] = [:]
            var index = 0
            var count: Int64 = 0
            var rest = deltas[...]
            for span in spans {
                index += Int(span.offset)
                for _ in 0..<span.length {
                    guard let delta = rest.popFirst() else { throw Malformed(description: "fewer deltas than buckets") }
                    count += delta
                    guard count >= 0 else { throw Malformed(description: "a negative bucket") }
                    buckets[index] = UInt64(count)
                    index += 1
                }
            }
            guard rest.isEmpty else { throw Malformed(description: "more deltas than buckets") }
            return buckets
        }
    }

    package private(set) var families: [Family] = []

    package init(_ bytes: [UInt8]) throws {
        var reader = WireReader(bytes[...])
        while !reader.isAtEnd { families.append(try Self.family(try reader.delimited())) }
    }

    private static func family(_ bytes: ArraySlice<UInt8>) throws -> Family {
        var family = Family()
        for field in try WireReader.fields(bytes) {
            switch field {
            case (1, .bytes(let bytes)): family.name = try text(bytes)
            case (2, .bytes(let bytes)): family.help = try text(bytes)
            case (3, .varint(let type)): family.type = type
            case (4, .bytes(let bytes)): family.metrics.append(try metric(bytes))
            case (5, .bytes(let bytes)): family.unit = try text(bytes)
            default: throw Malformed(description: "family: \(field)")
            }
        }
        return family
    }

    private static func metric(_ bytes: ArraySlice<UInt8>) throws -> Metric {
        var metric = Metric()
        for field in try WireReader.fields(bytes) {
            switch field {
            case (1, .bytes(let bytes)):
                guard case let fields = try WireReader.fields(bytes), fields.count == 2,
                    case (1, .bytes(let name)) = fields[0], case (2, .bytes(let value)) = fields[1]
                else { throw Malformed(description: "label") }
                metric.labels.append((try text(name), try text(value)))
            case (2, .bytes(let bytes)): metric.gauge = try value(bytes)
            case (3, .bytes(let bytes)):
                if case (3, .bytes(let start))? = try WireReader.fields(bytes).first {
                    metric.began = try timestamp(start)
                }
                metric.counter = try value(bytes, behind: metric.began == nil ? 0 : 1)
            case (7, .bytes(let bytes)):
                metric.histogram = try histogram(bytes)
                metric.began = metric.histogram?.began
            default: throw Malformed(description: "metric: \(field)")
            }
        }
        return metric
    }

    /// The last field, behind so many others.
    private static func value(_ bytes: ArraySlice<UInt8>, behind count: Int = 0) throws -> Double {
        guard case let fields = try WireReader.fields(bytes), fields.count == count + 1,
            case (1, .double(let value)) = fields[count]
        else { throw Malformed(description: "value") }
        return value
    }

    private static func timestamp(_ bytes: ArraySlice<UInt8>) throws -> Int64 {
        guard case let fields = try WireReader.fields(bytes), fields.count == 2,
            case (1, .varint(let seconds)) = fields[0], case (2, .varint(let nanoseconds)) = fields[1],
            nanoseconds < 1_000_000_000
        else { throw Malformed(description: "timestamp") }
        return Int64(seconds) * 1_000_000_000 + Int64(nanoseconds)
    }

    private static func histogram(_ bytes: ArraySlice<UInt8>) throws -> Histogram {
        var histogram = Histogram()
        for field in try WireReader.fields(bytes) {
            switch field {
            case (1, .varint(let count)): histogram.count = count
            case (2, .double(let sum)): histogram.sum = sum
            case (3, .bytes(let bytes)):
                guard case let fields = try WireReader.fields(bytes), fields.count == 2,
                    case (1, .varint(let count)) = fields[0], case (2, .double(let bound)) = fields[1]
                else { throw Malformed(description: "bucket") }
                histogram.buckets.append((bound, count))
            case (5, .varint(let schema)): histogram.schema = WireReader.signed(schema)
            case (6, .double(let threshold)): histogram.zeroThreshold = threshold
            case (7, .varint(let count)): histogram.zeroCount = count
            case (12, .bytes(let bytes)):
                guard case let fields = try WireReader.fields(bytes), fields.count == 2,
                    case (1, .varint(let offset)) = fields[0], case (2, .varint(let length)) = fields[1]
                else { throw Malformed(description: "span") }
                histogram.spans.append((WireReader.signed(offset), length))
            case (15, .bytes(let bytes)): histogram.began = try timestamp(bytes)
            case (13, .varint(let delta)): histogram.deltas.append(WireReader.signed(delta))
            default: throw Malformed(description: "histogram: \(field)")
            }
        }
        return histogram
    }

    private static func text(_ bytes: ArraySlice<UInt8>) throws -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw Malformed(description: "UTF-8") }
        return text
    }
}

/// The wire format of Protocol Buffers, as far as pages use it.
private struct WireReader {
    enum Value {
        case varint(UInt64)
        case double(Double)
        case bytes(ArraySlice<UInt8>)
    }

    private var rest: ArraySlice<UInt8>
    var isAtEnd: Bool { rest.isEmpty }

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    static func fields(_ bytes: ArraySlice<UInt8>) throws -> [(UInt64, Value)] {
        var reader = WireReader(bytes)
        var fields: [(UInt64, Value)] = []
        while !reader.isAtEnd { fields.append(try reader.field()) }
        return fields
    }

    static func signed(_ value: UInt64) -> Int64 { Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1) }

    mutating func delimited() throws -> ArraySlice<UInt8> { try take(Int(truncatingIfNeeded: varint())) }

    private mutating func field() throws -> (UInt64, Value) {
        let tag = try varint()
        switch tag & 7 {
        case 0: return (tag >> 3, .varint(try varint()))
        case 1:
            let bits = try take(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            return (tag >> 3, .double(Double(bitPattern: bits)))
        case 2: return (tag >> 3, .bytes(try delimited()))
        default: throw ProtobufPage.Malformed(description: "wire type \(tag & 7)")
        }
    }

    /// In the fewest bytes, as writers have to.
    private mutating func varint() throws -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = rest.popFirst() else { throw ProtobufPage.Malformed(description: "varint") }
            value |= UInt64(byte & 0x7f) << shift
            guard byte & 0x80 == 0 else { continue }
            guard byte != 0 || shift == 0 else { break }
            return value
        }
        throw ProtobufPage.Malformed(description: "a varint longer than need be")
    }

    private mutating func take(_ count: Int) throws -> ArraySlice<UInt8> {
        guard count >= 0, count <= rest.count else { throw ProtobufPage.Malformed(description: "the end is missing") }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }
}
