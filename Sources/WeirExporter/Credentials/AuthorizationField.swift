/// The credentials of a request (RFC 9110 section 11.6.2).
enum Credentials: Equatable {
    case none
    /// RFC 6750.
    case bearer([UInt8])
    /// RFC 7617.
    case basic(name: [UInt8], password: [UInt8])
    /// A malformed field, or an unknown scheme.
    case unknown
}

extension Credentials {
    private static let bearerScheme = Array("bearer".utf8)
    private static let basicScheme = Array("basic".utf8)

    /// Reads the value of an `Authorization` field: `scheme SP credentials`, the scheme in any case.
    init(_ value: Range<Int>, of bytes: Span<UInt8>) {
        var schemeEnd = value.lowerBound
        while schemeEnd < value.upperBound, !ASCII.isBlank(bytes[schemeEnd]) { schemeEnd += 1 }
        let scheme = value.lowerBound..<schemeEnd
        let rest = bytes.trimmingBlanks(schemeEnd..<value.upperBound)
        guard !rest.isEmpty, bytes.allSatisfy(rest, ASCII.isVisible) else {
            self = .unknown
            return
        }
        if bytes.matches(scheme, Self.bearerScheme) {
            self = .bearer(rest.map { bytes[$0] })
        } else if bytes.matches(scheme, Self.basicScheme), let pair = Base64.decode(rest, of: bytes),
            let colon = pair.firstIndex(of: UInt8(ascii: ":"))
        {
            // A name has no colon, a password may have some.
            self = .basic(name: Array(pair[..<colon]), password: Array(pair[(colon + 1)...]))
        } else {
            self = .unknown
        }
    }
}

/// RFC 4648 section 4.
package enum Base64 {
    /// The decoded bytes of a text; nil if it is not canonical. Padding may be missing.
    package static func decode(_ text: [UInt8]) -> [UInt8]? { decode(0..<text.count, of: text.span) }

    /// The decoded bytes of the text in `range`; nil if it is not canonical. Padding may be missing.
    static func decode(_ range: Range<Int>, of bytes: Span<UInt8>) -> [UInt8]? {
        var range = range
        var padding = 0
        while padding < 2, !range.isEmpty, bytes[range.upperBound - 1] == UInt8(ascii: "=") {
            range = range.lowerBound..<range.upperBound - 1
            padding += 1
        }
        guard range.count % 4 != 1, padding == 0 || (range.count + padding) % 4 == 0 else { return nil }
        var output: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for index in range {
            guard let digit = digit(bytes[index]) else { return nil }
            bits = bits << 6 | digit
            count += 6
            if count >= 8 {
                count -= 8
                output.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
                bits &= (1 << UInt32(count)) - 1
            }
        }
        return bits == 0 ? output : nil
    }

    private static func digit(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(byte - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(byte - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
