import NetworkTypes

/// The answer to a question of a ``DNSCheck``: one message, which repeats identifier and question.
///
/// Datagrams that do not are passed over, up to a bound: they may be forged. On a stream they end the check.
struct DNSConversation {
    private let question: [UInt8]
    private let accepted: Set<DNSCheck.ResponseCode>
    private let identifier: UInt16
    private var datagramsSeen = 0
    /// The beginning of a stream, the two bytes of its length included.
    private var buffer: [UInt8] = []

    init(_ question: [UInt8], accepted: Set<DNSCheck.ResponseCode>, identifier: UInt16) {
        self.question = question
        self.accepted = accepted
        self.identifier = identifier
    }

    mutating func receive(_ bytes: ArraySlice<UInt8>) -> CheckStep {
        let room = Conversation.maxAnswerBytes - buffer.count
        buffer += bytes.prefix(room)
        guard buffer.count >= 2 else { return .more }
        let length = Int(buffer[0]) << 8 | Int(buffer[1])
        if length < DNSMessage.headerLength { return .failed(.malformed) }
        guard 2 + length <= Conversation.maxAnswerBytes else { return .failed(.tooLong) }
        guard buffer.count >= 2 + length else { return .more }
        return judge(DNSMessage(buffer[2..<2 + length])) ?? .failed(.malformed)
    }

    mutating func receive(datagram bytes: ArraySlice<UInt8>) -> CheckStep {
        if let step = judge(DNSMessage(bytes)) { return step }
        datagramsSeen += 1
        return datagramsSeen < Conversation.maxDatagrams ? .more : .failed(.malformed)
    }

    /// The verdict on a message; nil where it is no answer to this question.
    private func judge(_ message: DNSMessage?) -> CheckStep? {
        guard let message, message.isAnswer(to: identifier) else { return nil }
        let code = message.responseCode
        // An error may come without the question, as from a server that cannot read it.
        guard accepted.contains(where: { $0.number == code }) else { return .failed(.responseCode(Int(code))) }
        if !message.repeats(question), !message.hasNoQuestion { return nil }
        return message.repeats(question) && message.isWhole ? .passed : .failed(.malformed)
    }
}
