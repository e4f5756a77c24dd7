/// Chooses a route for a client of PostgreSQL, whose TLS hello comes after a request and its answer (PostgreSQL's
/// documentation, "Message Flow": SSL and GSSAPI session encryption).
///
/// - An SSLRequest is answered `S`, and the hello that follows is matched. The chosen route's upstream gets an
///   SSLRequest, too, and must answer it likewise.
/// - A GSSENCRequest is answered `N`: the client asks again, or goes on without encryption.
/// - A hello at once (`sslnegotiation=direct`) is matched as it is.
/// - A startup message or a CancelRequest names no server: it goes to the route that takes the rest.
///
/// Bytes that follow a request before its answer are refused. A client waits for the answer, so they come from a third
/// party, and must not look as if the client had sent them encrypted (CVE-2021-23214).
public struct PostgresMatcher: FirstBytesMatcher {
    private enum Stage {
        static let beginning = 0
        /// A GSSENCRequest was refused.
        static let unencrypted = 1
        /// An SSLRequest was granted: a hello must follow.
        static let encrypting = 2
    }

    private static let requestLength = 8
    /// The longest startup message that the server accepts (`MAX_STARTUP_PACKET_LENGTH`).
    private static let maxStartupLength = 10_000
    private static let sslRequest: UInt32 = 80_877_103
    private static let gssRequest: UInt32 = 80_877_104
    private static let handshakeRecord: UInt8 = 22
    private static let granted = [UInt8(ascii: "S")]
    private static let refused = [UInt8(ascii: "N")]

    /// The exchange with the upstream of a client that was granted an SSLRequest.
    static let preface = UpstreamPreface(request: [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f], answer: granted)

    private let table: ServerNameTable

    /// Creates a matcher that finds the routes of hellos in a table.
    public init(_ table: ServerNameTable) {
        self.table = table
    }

    /// See ``FirstBytesMatcher``.
    public func match(
        _ bytes: Span<UInt8>, isEnd: Bool, stage: Int, serverName: inout [UInt8]?
    ) -> FirstBytesMatch {
        if stage == Stage.encrypting { return matchHello(bytes, preface: Self.preface, serverName: &serverName) }
        guard bytes.count > 0 else { return .needsMore(atLeast: 1) }
        if bytes[0] == Self.handshakeRecord { return matchHello(bytes, preface: nil, serverName: &serverName) }
        // The upper half of the length.
        for index in 0..<min(2, bytes.count) where bytes[index] != 0 { return .none(.malformed) }
        guard bytes.count >= Self.requestLength else { return .needsMore(atLeast: Self.requestLength) }
        let length = Int(Self.number32(bytes, at: 0))
        guard length >= Self.requestLength, length <= Self.maxStartupLength else { return .none(.malformed) }
        switch Self.number32(bytes, at: 4) {
        case Self.sslRequest: return answer(bytes, length: length, Self.granted, stage: Stage.encrypting)
        case Self.gssRequest:
            // The server takes one, too.
            guard stage == Stage.beginning else { return .none(.malformed) }
            return answer(bytes, length: length, Self.refused, stage: Stage.unencrypted)
        default: return table.matchWithoutTLS
        }
    }

    private func answer(_ bytes: Span<UInt8>, length: Int, _ answer: [UInt8], stage: Int) -> FirstBytesMatch {
        guard length == Self.requestLength, bytes.count == length else { return .none(.malformed) }
        return .answer(FirstBytesAnswer(consuming: length, answer, stage: stage))
    }

    private func matchHello(
        _ bytes: Span<UInt8>, preface: UpstreamPreface?, serverName: inout [UInt8]?
    ) -> FirstBytesMatch {
        switch ClientHelloParser.parse(bytes) {
        case .needsMore(let count): .needsMore(atLeast: count)
        case .notTLS, .malformed: .none(.malformed)
        case .tooLong: .none(.tooLong)
        case .complete(let hello): table.match(hello, in: bytes, preface: preface, serverName: &serverName)
        }
    }

    private static func number32(_ bytes: Span<UInt8>, at start: Int) -> UInt32 {
        (start..<start + 4).reduce(0) { $0 << 8 | UInt32(bytes[$1]) }
    }
}
