/// A message of a name server (RFC 1035 section 4), as far as a check looks at it. Every byte may be anything.
struct DNSMessage {
    static let headerLength = 12
    /// The fixed part of a record behind its name: type, class, time to live, length of the data.
    private static let recordLength = 10
    private static let questionTail = 4
    private static let pointerLength = 2
    private static let pointerBits: UInt8 = 0xc0

    private let bytes: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
    }

    private func byte(_ offset: Int) -> UInt8 { bytes[bytes.startIndex + offset] }
    private func pair(_ offset: Int) -> Int { Int(byte(offset)) << 8 | Int(byte(offset + 1)) }

    /// Whether it is a response to a standard query with this identifier.
    func isAnswer(to identifier: UInt16) -> Bool {
        guard bytes.count >= Self.headerLength, pair(0) == Int(identifier) else { return false }
        let isResponse = byte(2) & 0x80 != 0
        let isStandardQuery = byte(2) & 0x78 == 0
        return isResponse && isStandardQuery
    }

    /// Whether the server left records out for lack of room (TC).
    private var isTruncated: Bool { byte(2) & 2 != 0 }
    /// The response code.
    var responseCode: UInt8 { byte(3) & 15 }
    /// Whether it repeats no question.
    var hasNoQuestion: Bool { pair(4) == 0 }

    /// Whether its question is this one, and the only one. Servers may change the case of a name (RFC 4343).
    func repeats(_ question: [UInt8]) -> Bool {
        guard pair(4) == 1, bytes.count >= Self.headerLength + question.count else { return false }
        let found = bytes[(bytes.startIndex + Self.headerLength)...].prefix(question.count)
        let nameLength = question.count - Self.questionTail
        return zip(found, question).enumerated().allSatisfy { index, pair in
            index < nameLength ? Self.lowercased(pair.0) == Self.lowercased(pair.1) : pair.0 == pair.1
        }
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }

    /// Whether all records that it counts lie within it. A truncated message may end anywhere behind the question.
    var isWhole: Bool {
        var offset = Self.headerLength
        for _ in 0..<pair(4) {
            guard let end = endOfName(at: offset), end + Self.questionTail <= bytes.count else { return false }
            offset = end + Self.questionTail
        }
        if isTruncated { return true }
        // Each record has eleven bytes at least: a message of 64 KiB ends the loop long before its counts do.
        for _ in 0..<pair(6) + pair(8) + pair(10) {
            guard let end = endOfName(at: offset), end + Self.recordLength <= bytes.count else { return false }
            offset = end + Self.recordLength + pair(end + Self.recordLength - 2)
            guard offset <= bytes.count else { return false }
        }
        return true
    }

    /// The offset behind the name at `start`; nil where it leaves the message. Pointers are not followed.
    private func endOfName(at start: Int) -> Int? {
        var offset = start
        while offset < bytes.count {
            let length = byte(offset)
            switch length & Self.pointerBits {
            case 0:
                offset += 1 + Int(length)
                if length == 0 { return offset }
            case Self.pointerBits: return offset + Self.pointerLength
            default: return nil
            }
        }
        return nil
    }
}
