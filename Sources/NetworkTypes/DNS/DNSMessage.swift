/// A message of a name server (RFC 1035 section 4). Every byte may be anything.
package struct DNSMessage {
    /// The length of the header, and so the least of a message.
    package static let headerLength = 12
    /// The fixed part of a record behind its name: type, class, time to live, length of the data.
    static let recordLength = 10
    private static let questionTail = 4

    let bytes: ArraySlice<UInt8>

    /// A message; nil where the bytes are fewer than a header has.
    package init?(_ bytes: ArraySlice<UInt8>) {
        guard bytes.count >= Self.headerLength else { return nil }
        self.bytes = bytes
    }

    private func byte(_ offset: Int) -> UInt8 { bytes[bytes.startIndex + offset] }
    /// The number in two bytes, which must be there.
    func pair(_ offset: Int) -> Int { Int(byte(offset)) << 8 | Int(byte(offset + 1)) }

    /// Whether it is a response to a standard query with this identifier.
    package func isAnswer(to identifier: UInt16) -> Bool {
        let isResponse = byte(2) & 0x80 != 0
        let isStandardQuery = byte(2) & 0x78 == 0
        return pair(0) == Int(identifier) && isResponse && isStandardQuery
    }

    /// Whether the server left records out for lack of room (TC).
    package var isTruncated: Bool { byte(2) & 2 != 0 }
    /// The response code.
    package var responseCode: UInt8 { byte(3) & 15 }
    /// Whether it repeats no question.
    package var hasNoQuestion: Bool { pair(4) == 0 }
    /// The number of records in the answer section, as the header counts them.
    var answerCount: Int { pair(6) }

    /// Whether its question is this one, and the only one. Servers may change the case of a name (RFC 4343).
    package func repeats(_ question: [UInt8]) -> Bool {
        guard pair(4) == 1, bytes.count >= Self.headerLength + question.count else { return false }
        let found = bytes[(bytes.startIndex + Self.headerLength)...].prefix(question.count)
        let nameLength = question.count - Self.questionTail
        return zip(found, question).enumerated().allSatisfy { index, pair in
            index < nameLength ? DNSName.lowercased(pair.0) == DNSName.lowercased(pair.1) : pair.0 == pair.1
        }
    }

    /// Whether all records that it counts lie within it. A truncated message may end anywhere behind the question.
    package var isWhole: Bool {
        guard var offset = endOfQuestions else { return false }
        if isTruncated { return true }
        // Each record has eleven bytes at least: a message of 64 KiB ends the loop long before its counts do.
        for _ in 0..<pair(6) + pair(8) + pair(10) {
            guard let record = record(at: offset) else { return false }
            offset = record.data.upperBound
        }
        return true
    }

    /// The offset behind the question section; nil where that leaves the message.
    var endOfQuestions: Int? {
        var offset = Self.headerLength
        for _ in 0..<pair(4) {
            guard let end = DNSName.end(in: bytes, at: offset), end + Self.questionTail <= bytes.count else {
                return nil
            }
            offset = end + Self.questionTail
        }
        return offset
    }

    /// The offsets of the fixed part and of the data of the record at `offset`; nil where they leave the message.
    func record(at offset: Int) -> (fixed: Int, data: Range<Int>)? {
        guard let end = DNSName.end(in: bytes, at: offset), end + Self.recordLength <= bytes.count else { return nil }
        let start = end + Self.recordLength
        let length = pair(start - 2)
        return start + length <= bytes.count ? (end, start..<start + length) : nil
    }
}
