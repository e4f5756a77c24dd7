/// Up to 255 bytes without memory of their own: the name of a server or of a protocol in a ``ClientHello``.
public struct ShortBytes: Sendable, Equatable, CustomStringConvertible {
    static let maxCount = 255

    private var bytes = InlineArray<255, UInt8>(repeating: 0)
    /// The number of bytes.
    public private(set) var count = 0

    init() {}

    /// The byte at an index below ``count``.
    public subscript(index: Int) -> UInt8 {
        precondition(index < count, "a byte that is there")
        return bytes[index]
    }

    /// Calls `body` with the bytes. They are not copied, as they are for each use of the subscript.
    func withSpan<Result>(_ body: (Span<UInt8>) -> Result) -> Result {
        body(bytes.span.extracting(0..<count))
    }

    /// A copy of the bytes: it allocates.
    var array: [UInt8] {
        var copy: [UInt8] = []
        copy.reserveCapacity(count)
        withSpan { span in
            for index in 0..<span.count { copy.append(span[index]) }
        }
        return copy
    }

    /// Appends a byte. Returns false where there is no room for it.
    mutating func append(_ byte: UInt8) -> Bool {
        guard count < Self.maxCount else { return false }
        bytes[count] = byte
        count += 1
        return true
    }

    /// Whether both have the same bytes.
    public static func == (left: ShortBytes, right: ShortBytes) -> Bool {
        guard left.count == right.count else { return false }
        for index in 0..<left.count where left.bytes[index] != right.bytes[index] { return false }
        return true
    }

    /// The bytes as text, for logs and tests: it allocates.
    public var description: String { String(decoding: (0..<count).map { bytes[$0] }, as: UTF8.self) }
}
