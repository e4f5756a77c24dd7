/// A position in a handshake message, which records cut into fragments (RFC 8446, section 5.1). It steps over the
/// headers of the records.
///
/// Every call gets the bytes of the stream from the beginning. A read beyond the message, or beyond the bytes, returns
/// nil.
struct HandshakeCursor: Sendable {
    /// The bytes of type, version and length.
    static let recordHeaderLength = 5

    /// The offset of the next byte in the stream; `fragmentEnd` where another record follows.
    private var offset = 0
    private var fragmentEnd = 0
    /// The bytes of the message, or of the part of it, that are not read yet.
    private(set) var left: Int

    /// Creates a cursor at the beginning of a message of this length, whose first record begins the stream.
    init(messageLength: Int) {
        left = messageLength
    }

    /// Returns the next byte.
    mutating func byte(in bytes: Span<UInt8>) -> Int? {
        guard left > 0, hasNext(in: bytes) else { return nil }
        left -= 1
        offset += 1
        return Int(bytes[offset - 1])
    }

    /// Returns the next two bytes as a number.
    mutating func number16(in bytes: Span<UInt8>) -> Int? {
        guard let high = byte(in: bytes), let low = byte(in: bytes) else { return nil }
        return high << 8 | low
    }

    /// Steps over bytes. Returns false where there are fewer.
    mutating func skip(_ count: Int, in bytes: Span<UInt8>) -> Bool {
        guard count <= left else { return false }
        left -= count
        var rest = count
        while rest > 0 {
            guard hasNext(in: bytes) else { return false }
            let step = min(rest, fragmentEnd - offset)
            offset += step
            rest -= step
        }
        return true
    }

    /// Returns a cursor of the next `count` bytes alone, and steps over them; nil where there are fewer.
    mutating func part(_ count: Int, in bytes: Span<UInt8>) -> HandshakeCursor? {
        var part = self
        guard skip(count, in: bytes) else { return nil }
        part.left = count
        return part
    }

    /// Whether the next byte is there, in this fragment or the next one.
    private mutating func hasNext(in bytes: Span<UInt8>) -> Bool {
        guard offset < fragmentEnd || enterFragment(in: bytes) else { return false }
        return offset < bytes.count
    }

    /// Steps over a record's header where one is next. Returns false where the bytes end. Each header is at least five
    /// bytes further, so that all calls together step over each once.
    private mutating func enterFragment(in bytes: Span<UInt8>) -> Bool {
        while offset == fragmentEnd {
            let fragment = offset + Self.recordHeaderLength
            guard fragment <= bytes.count else { return false }
            offset = fragment
            fragmentEnd = fragment + (Int(bytes[fragment - 2]) << 8 | Int(bytes[fragment - 1]))
        }
        return true
    }
}
