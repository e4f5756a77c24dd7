/// The answer to a StartupMessage ("Message Formats" in the manual of PostgreSQL).
///
/// A demand for authentication passes, whatever its kind. An ErrorResponse passes, too, unless its SQLSTATE says that
/// the server takes no session now: pg_isready(1) fails for `57P03` alone (`cannot_connect_now`: starting up, shutting
/// down, recovering), HAProxy for every error. Between the two stands what clients would meet as well: the classes 53
/// (no connection, memory or disk is left), 57 (it shuts down or has crashed), 58 and XX (it is broken) and F0 (its
/// configuration is). An unknown user or database and a missing entry of `pg_hba.conf` are the check's own fault, and
/// show a server that works.
struct PostgresConversation {
    private static let failingClasses: Set = ["53", "57", "58", "F0", "XX"]
    private static let authentication = UInt8(ascii: "R")
    private static let error = UInt8(ascii: "E")
    private static let notice = UInt8(ascii: "N")
    private static let terminate: [UInt8] = [UInt8(ascii: "X"), 0, 0, 0, 4]
    private static let stateField = UInt8(ascii: "C")
    private static let stateLength = 5
    /// The type and the length, which counts itself.
    private static let headerLength = 5
    private static let maxMessageLength = 4_096

    /// The beginning of the message that is not whole.
    private var buffer: [UInt8] = []
    private var bytesSeen = 0
    /// The bytes that end the session, so that the server logs no lost connection: none while it waits for a password,
    /// whose place only an end may take, and a Terminate message where it has let the user in without one. Nil until
    /// the server has said something.
    private(set) var farewell: [UInt8]?

    mutating func receive(_ bytes: ArraySlice<UInt8>) -> CheckStep {
        bytesSeen += bytes.count
        if bytesSeen > Conversation.maxAnswerBytes { return .failed(.tooLong) }
        buffer += bytes
        while let type = buffer.first {
            guard type == Self.authentication || type == Self.error || type == Self.notice else {
                return .failed(.malformed)
            }
            guard buffer.count >= Self.headerLength else { return .more }
            let length = Self.number(buffer[1..<Self.headerLength])
            guard (4...Self.maxMessageLength).contains(length) else { return .failed(.malformed) }
            guard buffer.count >= 1 + length else { return .more }
            let body = buffer[Self.headerLength..<1 + length]
            if type == Self.authentication { return authenticate(body) }
            if type == Self.error {
                farewell = []
                return Self.judge(body)
            }
            buffer.removeFirst(1 + length)
        }
        return .more
    }

    private mutating func authenticate(_ body: ArraySlice<UInt8>) -> CheckStep {
        guard body.count >= 4 else { return .failed(.malformed) }
        let isAdmitted = Self.number(body.prefix(4)) == 0
        farewell = isAdmitted ? Self.terminate : []
        return .passed
    }

    /// An ErrorResponse: fields of a type and a text with a zero behind it, and a zero behind them all.
    private static func judge(_ body: ArraySlice<UInt8>) -> CheckStep {
        var rest = body
        while let type = rest.popFirst(), type != 0 {
            guard let end = rest.firstIndex(of: 0) else { break }
            let text = rest[..<end]
            rest = rest[(end + 1)...]
            guard type == stateField else { continue }
            guard text.count == stateLength, text.allSatisfy(isStateByte) else { break }
            let state = String(decoding: text, as: UTF8.self)
            return failingClasses.contains(String(state.prefix(2))) ? .failed(.sqlState(state)) : .passed
        }
        return .failed(.malformed)
    }

    private static func isStateByte(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> Int { bytes.reduce(0) { $0 << 8 | Int($1) } }
}
