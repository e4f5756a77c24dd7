import WeirMetrics

/// The formats that `Accept` asks for (RFC 9110 section 12.5.1), with weights in thousandths.
///
/// A client gets OpenMetrics or protobuf if it names that format with at least the weight of the text format.
/// Everything else is answered as text: an answer in the wrong format is better for a scraper than a refusal.
struct AcceptedFormats: Equatable {
    /// The client's preference for one format.
    struct FormatPreference: Equatable {
        var weight: Int
        /// The index of the range that includes the format; the narrowest is 0.
        var range: Int
        /// Its index among all members.
        var order: Int

        /// A name says more than a wildcard of the same weight; of two names the first does.
        func outweighs(_ other: FormatPreference) -> Bool {
            if weight != other.weight { return weight > other.weight }
            if (range == 0) != (other.range == 0) { return range == 0 }
            return order < other.order
        }
    }

    /// The ranges that include the text format, the narrowest first.
    private static let textRanges = [Array("text/plain".utf8), Array("text/*".utf8), Array("*/*".utf8)]
    private static let openMetricsRange = Array("application/openmetrics-text".utf8)
    private static let textVersion = Array("0.0.4".utf8)
    private static let openMetricsVersion = Array("1.0.0".utf8)
    private static let protobufRange = Array("application/vnd.google.protobuf".utf8)
    private static let protobufMessage = Array("io.prometheus.client.MetricFamily".utf8)
    private static let protobufEncoding = Array("delimited".utf8)

    private(set) var text: FormatPreference?
    private(set) var openMetrics: FormatPreference?
    private(set) var protobuf: FormatPreference?
    private var members = 0

    /// Takes one field value in; several count as one list.
    mutating func merge(_ value: Range<Int>, of bytes: Span<UInt8>) {
        var position = value.lowerBound
        while let member = ListMember.next(in: bytes, from: &position, to: value.upperBound) {
            members += 1
            if bytes.matches(member.name, Self.openMetricsRange) {
                guard member.isVersion(Self.openMetricsVersion, of: bytes) else { continue }
                Self.note(FormatPreference(weight: member.weight, range: 0, order: members), in: &openMetrics)
            } else if bytes.matches(member.name, Self.protobufRange) {
                // Other messages and encodings have the same media type, so that both must be said.
                guard let proto = member.proto, bytes.equals(proto, Self.protobufMessage),
                    let encoding = member.encoding, bytes.equals(encoding, Self.protobufEncoding)
                else { continue }
                Self.note(FormatPreference(weight: member.weight, range: 0, order: members), in: &protobuf)
            } else if let range = Self.textRanges.firstIndex(where: { bytes.matches(member.name, $0) }) {
                guard member.isVersion(Self.textVersion, of: bytes) else { continue }
                Self.note(FormatPreference(weight: member.weight, range: range, order: members), in: &text)
            }
        }
    }

    /// The narrowest range decides; of equal ones the highest weight.
    private static func note(_ preference: FormatPreference, in known: inout FormatPreference?) {
        if let known {
            let isNarrower = known.range < preference.range
            if isNarrower || known.range == preference.range && known.weight >= preference.weight { return }
        }
        known = preference
    }

    /// The format to answer with.
    var preferred: ExpositionFormat {
        var best: (format: ExpositionFormat, preference: FormatPreference)?
        if let text { best = (.text004, text) }
        if let openMetrics, best.map({ openMetrics.outweighs($0.preference) }) ?? true {
            best = (.openMetrics100, openMetrics)
        }
        if let protobuf, best.map({ protobuf.outweighs($0.preference) }) ?? true {
            best = (.delimitedProtobuf, protobuf)
        }
        guard let best, best.preference.weight > 0 else { return .text004 }
        return best.format
    }
}

extension ListMember {
    /// Its weight in thousandths. An invalid one is still a preference, the weakest.
    fileprivate var weight: Int {
        switch quality {
        case .absent: 1000
        case .value(let thousandths): thousandths
        case .invalid: 1
        }
    }

    /// Whether it asks for that version, or for none.
    fileprivate func isVersion(_ wanted: [UInt8], of bytes: Span<UInt8>) -> Bool {
        guard let version else { return true }
        return bytes.equals(version, wanted)
    }
}
