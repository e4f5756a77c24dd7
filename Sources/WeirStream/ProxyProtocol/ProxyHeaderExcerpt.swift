/// The first bytes of a refused PROXY header, for the log. A value without references, as long as a log record has
/// room.
public struct ProxyHeaderExcerpt: Hashable, Sendable {
    /// The bytes in order, eight a word from the lowest byte on, and in the last byte their number.
    private var words: (UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0)

    /// The bytes that are kept.
    public static let maxByteCount = 39

    /// Creates the excerpt of no bytes.
    public init() {}

    /// Creates the excerpt of these bytes: the first ``maxByteCount`` of them.
    public init(_ bytes: Span<UInt8>) {
        words = (
            Self.word(bytes, 0), Self.word(bytes, 1), Self.word(bytes, 2), Self.word(bytes, 3), Self.word(bytes, 4)
        )
        words.4 |= UInt64(min(bytes.count, Self.maxByteCount)) << 56
    }

    private static func word(_ bytes: Span<UInt8>, _ index: Int) -> UInt64 {
        var word: UInt64 = 0
        let first = 8 * index
        let end = min(first + 8, bytes.count, maxByteCount)
        guard first < end else { return 0 }
        for position in first..<end { word |= UInt64(bytes[position]) << (8 * (position - first)) }
        return word
    }

    /// The number of bytes.
    public var count: Int { Int(words.4 >> 56) }

    /// The bytes.
    public var bytes: [UInt8] {
        let all = [words.0, words.1, words.2, words.3, words.4]
        return (0..<count).map { UInt8(truncatingIfNeeded: all[$0 / 8] >> (8 * ($0 % 8))) }
    }

    /// Whether two excerpts have the same bytes.
    public static func == (first: Self, second: Self) -> Bool { first.words == second.words }

    /// Feeds the bytes.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(bytes)
    }
}

extension ProxyHeaderExcerpt: CustomStringConvertible {
    /// Printable ASCII as it is, and every other byte as `%0d`, the percent sign and the backslash included.
    public var description: String {
        var text = ""
        for byte in bytes {
            if (0x20...0x7e).contains(byte), byte != UInt8(ascii: "%"), byte != UInt8(ascii: "\\") {
                text.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                text += byte < 16 ? "%0" : "%"
                text += String(byte, radix: 16)
            }
        }
        return text
    }
}
