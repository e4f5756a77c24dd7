/// `PING` and the first line of the reply (RESP, the "Redis serialization protocol specification").
///
/// `+PONG` passes. `-NOAUTH` and `-NOPERM` pass, too: the server runs commands, only not for a client without a
/// password. All other errors fail, because clients would meet them as well: `LOADING` (the data set is being read),
/// `MASTERDOWN` (a replica that must not show old data), `BUSY` (a script holds it up), `MISCONF` (it cannot save,
/// which Redis reports to `PING` for this purpose), `DENIED` (protected mode), and `ERR max number of clients reached`.
struct RedisConversation {
    static let ping = Array("*1\r\n$4\r\nPING\r\n".utf8)

    private static let pong = Array("+PONG".utf8)
    private static let passing: Set = ["NOAUTH", "NOPERM"]
    private static let maxLineLength = 512
    private static let maxWordLength = 24

    /// The line so far, without its end.
    private var line: [UInt8] = []

    mutating func receive(_ bytes: ArraySlice<UInt8>) -> CheckStep {
        for byte in bytes {
            if byte == UInt8(ascii: "\n") { return judge() }
            if line.isEmpty, byte != UInt8(ascii: "+"), byte != UInt8(ascii: "-") { return .failed(.malformed) }
            guard line.count < Self.maxLineLength else { return .failed(.tooLong) }
            line.append(byte)
        }
        return .more
    }

    private mutating func judge() -> CheckStep {
        guard line.popLast() == UInt8(ascii: "\r"), let first = line.first else { return .failed(.malformed) }
        if line == Self.pong { return .passed }
        guard first == UInt8(ascii: "-") else { return .failed(.malformed) }
        let word = line.dropFirst().prefix { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }
            .prefix(Self.maxWordLength)
        let text = String(decoding: word, as: UTF8.self)
        return Self.passing.contains(text) ? .passed : .failed(.errorReply(text.isEmpty ? "unnamed" : text))
    }
}
