import NetworkTypes

@testable import WeirHealth

/// Drives a conversation with bytes, however they are split.
enum Conversing {
    static func conversation(_ check: HealthCheck, identifier: UInt16 = 0x1234) -> Conversation {
        ConversationMaker(check, address: "192.0.2.1:1").make(identifier: identifier).conversation
    }

    static func opening(_ check: HealthCheck, identifier: UInt16 = 0x1234) -> [UInt8] {
        ConversationMaker(check, address: "192.0.2.1:1").make(identifier: identifier).opening
    }

    /// The first step that decides, with `step` bytes of a stream at a time.
    static func stream(_ check: HealthCheck, _ bytes: [UInt8], step: Int? = nil) -> CheckStep {
        let step = max(1, step ?? bytes.count)
        var conversation = conversation(check)
        for start in stride(from: 0, to: bytes.count, by: step) {
            let result = conversation.receive(bytes[start..<min(start + step, bytes.count)])
            if result != .more { return result }
        }
        return .more
    }

    /// The verdict on a whole stream, where it is the same for every split into two and for single bytes; else nil.
    static func verdict(_ check: HealthCheck, _ bytes: [UInt8]) -> CheckStep? {
        let whole = stream(check, bytes)
        guard stream(check, bytes, step: 1) == whole else { return nil }
        for split in 0...bytes.count {
            var conversation = conversation(check)
            var result = conversation.receive(bytes[..<split])
            if result == .more { result = conversation.receive(bytes[split...]) }
            if result != whole { return nil }
        }
        return whole
    }

    /// The first step that decides, over datagrams.
    static func datagrams(_ check: HealthCheck, _ datagrams: [[UInt8]]) -> CheckStep {
        var conversation = conversation(check)
        for datagram in datagrams {
            let result = conversation.receive(datagram: datagram[...])
            if result != .more { return result }
        }
        return .more
    }
}

/// A server's side of the conversations.
enum Answers {
    /// A DNS message that answers `question`, which is a question's message without the length of a stream.
    static func dns(
        to question: [UInt8], code: UInt8 = 0, flags: UInt8 = 0x80, counts: [UInt8]? = nil, records: [UInt8] = []
    ) -> [UInt8] {
        let counts = counts ?? [0, 1, 0, records.isEmpty ? 0 : 1, 0, 0, 0, 0]
        guard question.count > 12 else { return [] }
        let head: [UInt8] = [question[0], question[1], flags | 1, 0x80 | code]
        return head + counts + Array(question[12...]) + records
    }

    /// One record of the root's name servers, its owner a pointer to the question.
    static let record: [UInt8] = [0xc0, 12, 0, 2, 0, 1, 0, 0, 0, 60, 0, 3, 1, 97, 0]

    /// The message as it goes over a stream.
    static func framed(_ message: [UInt8]) -> [UInt8] {
        [UInt8(message.count >> 8), UInt8(message.count & 255)] + message
    }

    /// A message of PostgreSQL.
    static func postgres(_ type: Character, _ body: [UInt8]) -> [UInt8] {
        let length = body.count + 4
        return Array(String(type).utf8) + [0, 0, UInt8(length >> 8), UInt8(length & 255)] + body
    }

    /// An ErrorResponse with this SQLSTATE.
    static func postgresError(_ state: String) -> [UInt8] {
        postgres("E", Array("SFATAL\0VFATAL\0C\(state)\0Msome text\0\0".utf8))
    }
}
