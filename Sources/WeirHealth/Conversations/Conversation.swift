/// The next step of a check, after bytes of the member.
enum CheckStep: Hashable, Sendable {
    /// The answer is not whole.
    case more
    /// The member passed.
    case passed
    /// The answer does not pass.
    case failed(UnexpectedAnswer)
}

/// The conversation of one check: takes the member's bytes in and says whether they pass. Pure, bounded, and without a
/// trap on any bytes: it knows no socket and no time.
///
/// A kind of check is one case here and one type of its own, with the functions that are called below. It sees
/// decrypted bytes: a handshake is not a part of it.
enum Conversation {
    /// The connection is all.
    case connection
    case dns(DNSConversation)
    case postgres(PostgresConversation)
    case redis(RedisConversation)
    case http(HTTPConversation)
    case exchange(ExchangeConversation)

    /// The most bytes of an answer that are looked at.
    static let maxAnswerBytes = 16 * 1024
    /// The most datagrams of an answer that are looked at.
    static let maxDatagrams = 32

    /// Whether no byte is exchanged.
    var endsWithConnection: Bool {
        if case .connection = self { true } else { false }
    }

    /// The next bytes of a stream.
    mutating func receive(_ bytes: ArraySlice<UInt8>) -> CheckStep {
        switch self {
        case .connection: return .passed
        case .dns(var conversation):
            let step = conversation.receive(bytes)
            self = .dns(conversation)
            return step
        case .postgres(var conversation):
            let step = conversation.receive(bytes)
            self = .postgres(conversation)
            return step
        case .redis(var conversation):
            let step = conversation.receive(bytes)
            self = .redis(conversation)
            return step
        case .http(var conversation):
            let step = conversation.receive(bytes)
            self = .http(conversation)
            return step
        case .exchange(var conversation):
            let step = conversation.receive(bytes)
            self = .exchange(conversation)
            return step
        }
    }

    /// A datagram. Streams have none: theirs would not pass.
    mutating func receive(datagram bytes: ArraySlice<UInt8>) -> CheckStep {
        switch self {
        case .dns(var conversation):
            let step = conversation.receive(datagram: bytes)
            self = .dns(conversation)
            return step
        case .exchange(var conversation):
            let step = conversation.receive(datagram: bytes)
            self = .exchange(conversation)
            return step
        case .connection, .postgres, .redis, .http: return .failed(.malformed)
        }
    }

    /// The outcome where the timeout ends first: bytes that came and do not hold the expected ones are an answer, too.
    var timeoutOutcome: CheckOutcome {
        guard case .exchange(let conversation) = self else { return .failure(.timeout) }
        return conversation.timeoutOutcome
    }

    /// The answer that a stream was which ends before the conversation is decided.
    var answerAtEnd: UnexpectedAnswer {
        guard case .exchange(let conversation) = self, conversation.hasInput else { return .ended }
        return .noMatch
    }

    /// The bytes that end the conversation in order, perhaps none; nil where a reset disturbs no server, or it is not
    /// decided.
    var farewell: [UInt8]? {
        guard case .postgres(let conversation) = self else { return nil }
        return conversation.farewell
    }
}

extension HealthCheck {
    /// The bytes that open the conversation with a member at `address`.
    func opening(to address: String) -> [UInt8] {
        switch kind {
        case .tcp, .tls: []
        case .dns(let check): check.message
        case .postgres(let check): check.startup
        case .redis: RedisConversation.ping
        case .http(let check): check.request(to: address)
        case .exchange(let check): check.send
        }
    }
}

/// Conversations with members of one target: what all of them have in common is made once.
struct ConversationMaker: Sendable {
    private let kind: HealthCheck.Kind
    private let question: [UInt8]
    private let pattern: BytePattern
    private let opening: [UInt8]

    /// For conversations that hold `check` with a member at `address`.
    init(_ check: HealthCheck, address: String) {
        kind = check.kind
        opening = check.opening(to: address)
        switch check.kind {
        case .dns(let check):
            question = check.question
            pattern = BytePattern([])
        case .exchange(let check):
            question = []
            if case .bytes(let bytes) = check.expect { pattern = BytePattern(bytes) } else { pattern = BytePattern([]) }
        case .tcp, .tls, .postgres, .redis, .http:
            question = []
            pattern = BytePattern([])
        }
    }

    /// A conversation and the bytes that open it. `identifier` marks a DNS message, and must not be foreseeable for
    /// those who could forge an answer.
    func make(identifier: @autoclosure () -> UInt16) -> (conversation: Conversation, opening: [UInt8]) {
        switch kind {
        case .tcp, .tls: return (.connection, [])
        case .dns(let check):
            var opening = opening
            let offset = check.identifierOffset
            let identifier = identifier()
            opening[offset] = UInt8(truncatingIfNeeded: identifier >> 8)
            opening[offset + 1] = UInt8(truncatingIfNeeded: identifier)
            let conversation = DNSConversation(question, accepted: check.accepted, identifier: identifier)
            return (.dns(conversation), opening)
        case .postgres: return (.postgres(PostgresConversation()), opening)
        case .redis: return (.redis(RedisConversation()), opening)
        case .http(let check): return (.http(HTTPConversation(check)), opening)
        case .exchange(let check):
            return (.exchange(ExchangeConversation(pattern, awaitsSilence: check.expect == .silence)), opening)
        }
    }
}
