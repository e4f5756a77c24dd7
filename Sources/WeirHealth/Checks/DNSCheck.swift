import NetworkTypes

/// A question to a name server (RFC 1035). The answer must have the question's identifier and repeat its question, be
/// well-formed, and have one of the accepted response codes.
public struct DNSCheck: Hashable, Sendable {
    /// The types of records that can be asked for.
    public enum RecordType: String, CaseIterable, Sendable {
        /// IPv4 addresses.
        case a
        /// Name servers.
        case ns
        /// The start of a zone's authority.
        case soa
        /// Mail exchangers.
        case mx
        /// Text.
        case txt
        /// IPv6 addresses (RFC 3596).
        case aaaa
        /// Services (RFC 2782).
        case srv

        /// The type that messages name.
        var recordType: DNSRecordType {
            switch self {
            case .a: .a
            case .ns: .ns
            case .soa: .soa
            case .mx: .mx
            case .txt: .txt
            case .aaaa: .aaaa
            case .srv: .srv
            }
        }
    }

    /// The response codes of RFC 1035 section 4.1.1.
    public enum ResponseCode: String, CaseIterable, Sendable {
        /// An answer.
        case noError = "noerror"
        /// The server does not understand the question.
        case formatError = "formerr"
        /// The server could not find out.
        case serverFailure = "servfail"
        /// The name does not exist, which is an answer, too.
        case nameError = "nxdomain"
        /// The server does not know this kind of question.
        case notImplemented = "notimp"
        /// The server does not answer this question, or this client: an authoritative server refuses names outside of
        /// its zones.
        case refused

        /// The number in a message.
        var number: UInt8 {
            switch self {
            case .noError: 0
            case .formatError: 1
            case .serverFailure: 2
            case .nameError: 3
            case .notImplemented: 4
            case .refused: 5
            }
        }
    }

    /// The name that is asked for.
    public let name: String
    /// The type of records that is asked for.
    public let type: RecordType
    /// The response codes that pass.
    public let accepted: Set<ResponseCode>
    /// The transport of the question.
    public let transport: Transport

    /// The question section of the message.
    let question: [UInt8]

    /// A standard query that desires recursion (section 4.1.1): a resolver answers from its cache or asks others, and
    /// an authoritative server ignores the bit.
    private static let recursionDesired: UInt8 = 1

    /// A question. Without a name it is for the root's name servers, which every resolver knows; an authoritative
    /// server is asked for the SOA record of a zone of its own, because it refuses all other names.
    /// - Throws: ``HealthCheckError/invalidName(_:)``, and ``HealthCheckError/noResponseCodes`` where nothing passes.
    public init(
        name: String = ".", type: RecordType = .ns, accepted: Set<ResponseCode> = [.noError, .nameError],
        over transport: Transport
    ) throws(HealthCheckError) {
        guard let parsed = DNSName(name) else { throw .invalidName(name) }
        guard !accepted.isEmpty else { throw .noResponseCodes }
        self.name = name
        self.type = type
        question = DNSQuestion(parsed, type.recordType).bytes
        self.accepted = accepted
        self.transport = transport
    }

    /// The message, with two bytes of length in front over TCP (RFC 1035 section 4.2.2). Its identifier is 0.
    var message: [UInt8] {
        var bytes: [UInt8] = []
        if transport == .tcp {
            bytes.append(bigEndian: UInt16(truncatingIfNeeded: DNSMessage.headerLength + question.count))
        }
        bytes += [0, 0, Self.recursionDesired, 0, 0, 1, 0, 0, 0, 0, 0, 0]
        return bytes + question
    }

    /// The position of the identifier in ``message``.
    var identifierOffset: Int { transport == .tcp ? 2 : 0 }
}

extension [UInt8] {
    /// Appends a number in the order of networks.
    mutating func append(bigEndian value: UInt16) {
        append(UInt8(truncatingIfNeeded: value >> 8))
        append(UInt8(truncatingIfNeeded: value))
    }

    /// Appends a number in the order of networks.
    mutating func append(bigEndian value: UInt32) {
        append(bigEndian: UInt16(truncatingIfNeeded: value >> 16))
        append(bigEndian: UInt16(truncatingIfNeeded: value))
    }
}
