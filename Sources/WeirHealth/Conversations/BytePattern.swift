/// A sequence of bytes to find in a stream, in time that follows the stream's length whatever its bytes are (Knuth,
/// Morris and Pratt): nothing of the stream is kept.
struct BytePattern: Hashable, Sendable {
    private let bytes: [UInt8]
    /// For each prefix of the pattern, the length of the longest shorter prefix that it ends with.
    private let fallbacks: [Int]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        var fallbacks = [Int](repeating: 0, count: bytes.count)
        var length = 0
        for index in bytes.indices.dropFirst() {
            while length > 0, bytes[index] != bytes[length] { length = fallbacks[length - 1] }
            if bytes[index] == bytes[length] { length += 1 }
            fallbacks[index] = length
        }
        self.fallbacks = fallbacks
    }

    /// Whether every stream holds it.
    var isEmpty: Bool { bytes.isEmpty }

    /// Looks at one more byte of a stream. `matched` is the length of the prefix that the stream ends with, and 0 at
    /// its start.
    /// - Returns: whether the stream holds the pattern now; `matched` is 0 then.
    func advance(_ matched: inout Int, with byte: UInt8) -> Bool {
        guard !bytes.isEmpty else { return true }
        while matched > 0, byte != bytes[matched] { matched = fallbacks[matched - 1] }
        if byte == bytes[matched] { matched += 1 }
        guard matched == bytes.count else { return false }
        matched = 0
        return true
    }
}
