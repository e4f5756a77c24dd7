/// The encodings that `Accept-Encoding` allows (RFC 9110 section 12.5.3), in thousandths.
struct AcceptedEncodings: Equatable {
    private static let gzipNames = [Array("gzip".utf8), Array("x-gzip".utf8)]
    private static let identityName = Array("identity".utf8)
    private static let anyName = Array("*".utf8)

    private var gzip: Int?
    private var identity: Int?
    private var any: Int?

    /// Takes one field value in; several count as one list.
    mutating func merge(_ value: Range<Int>, of bytes: Span<UInt8>) {
        var position = value.lowerBound
        while let member = ListMember.next(in: bytes, from: &position, to: value.upperBound) {
            let weight =
                switch member.quality {
                case .absent: 1000
                case .value(let thousandths): thousandths
                // What cannot be read is not consent: uncompressed always works.
                case .invalid: 0
                }
            if Self.gzipNames.contains(where: { bytes.matches(member.name, $0) }) {
                gzip = max(gzip ?? 0, weight)
            } else if bytes.matches(member.name, Self.identityName) {
                identity = max(identity ?? 0, weight)
            } else if bytes.matches(member.name, Self.anyName) {
                any = max(any ?? 0, weight)
            }
        }
    }

    /// The coding to answer with: gzip where it is allowed and not liked less than plain. When nothing is allowed the
    /// answer is plain, as the RFC prefers to refusing.
    var preferred: ContentEncoding {
        let gzipWeight = gzip ?? any ?? 0
        return gzipWeight > 0 && gzipWeight >= identity ?? any ?? 0 ? .gzip : .identity
    }
}
