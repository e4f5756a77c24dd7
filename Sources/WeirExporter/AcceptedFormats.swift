import WeirMetrics

/// What `Accept` asks for (RFC 9110 section 12.5.1), in thousandths.
///
/// Only the text format can be answered with today, and it is also the answer to everything that names no format we
/// have: a scrape with an unknown wish is better answered than refused.
struct AcceptedFormats: Equatable {
    /// The ranges that include the text format, the narrowest first.
    private static let textRanges = [Array("text/plain".utf8), Array("text/*".utf8), Array("*/*".utf8)]

    /// The weight of the text format, and which of `textRanges` gave it.
    private(set) var text: (weight: Int, range: Int)?

    /// Takes one field value in; several count as one list.
    mutating func merge(_ value: Range<Int>, of bytes: Span<UInt8>) {
        var position = value.lowerBound
        while let member = ListMember.next(in: bytes, from: &position, to: value.upperBound) {
            guard let range = Self.textRanges.firstIndex(where: { bytes.matches(member.name, $0) }) else { continue }
            let weight =
                switch member.quality {
                case .absent: 1000
                case .value(let thousandths): thousandths
                // Still a wish, the weakest one.
                case .invalid: 1
                }
            // The narrowest range decides; of equal ones the highest weight.
            if let text, text.range < range || (text.range == range && text.weight >= weight) { continue }
            text = (weight, range)
        }
    }

    /// The format to answer with.
    var preferred: ExpositionFormat { .text004 }

    static func == (left: AcceptedFormats, right: AcceptedFormats) -> Bool {
        left.text?.weight == right.text?.weight && left.text?.range == right.text?.range
    }
}
