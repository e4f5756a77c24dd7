/// The head of a response (RFC 9112), up to its end: a server that stops in the middle of its head is not well. Interim
/// responses (1xx) are passed over. Nothing is kept.
struct HTTPConversation {
    private enum State {
        /// Behind so many bytes of the status line's fixed part, `HTTP/1.1 200`.
        case statusLine(Int)
        /// Before the reason phrase, or at the end of the line.
        case behindStatus
        /// In a line whose content does not matter.
        case line
        case lineStart
        /// Behind the CR of an empty line.
        case emptyLine
    }

    private static let prefix = Array("HTTP/1.".utf8)
    private static let minorVersion = 7
    private static let space = 8
    private static let lastDigit = 11
    private static let carriageReturn = UInt8(ascii: "\r")
    private static let lineFeed = UInt8(ascii: "\n")

    private let check: HTTPCheck
    private var state = State.statusLine(0)
    private var status = 0
    private var bytesSeen = 0

    init(_ check: HTTPCheck) {
        self.check = check
    }

    mutating func receive(_ bytes: ArraySlice<UInt8>) -> CheckStep {
        for byte in bytes {
            bytesSeen += 1
            guard bytesSeen <= Conversation.maxAnswerBytes else { return .failed(.tooLong) }
            let step = step(byte)
            if step != .more { return step }
        }
        return .more
    }

    private mutating func step(_ byte: UInt8) -> CheckStep {
        switch state {
        case .statusLine(let index): return statusLine(index, byte)
        case .behindStatus:
            guard byte == UInt8(ascii: " ") || byte == Self.carriageReturn || byte == Self.lineFeed else {
                return .failed(.malformed)
            }
            state = byte == Self.lineFeed ? .lineStart : .line
        case .line:
            if byte == Self.lineFeed { state = .lineStart }
        case .lineStart:
            // RFC 9112 section 2.2 lets a lone LF end a line.
            if byte == Self.lineFeed { return endHead() }
            state = byte == Self.carriageReturn ? .emptyLine : .line
        case .emptyLine:
            return byte == Self.lineFeed ? endHead() : .failed(.malformed)
        }
        return .more
    }

    private mutating func statusLine(_ index: Int, _ byte: UInt8) -> CheckStep {
        let isDigit = (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        let fits =
            switch index {
            case ..<Self.minorVersion: byte == Self.prefix[index]
            case Self.space: byte == UInt8(ascii: " ")
            default: isDigit
            }
        guard fits else { return .failed(.malformed) }
        if index > Self.space { status = status * 10 + Int(byte - UInt8(ascii: "0")) }
        state = index == Self.lastDigit ? .behindStatus : .statusLine(index + 1)
        return .more
    }

    private mutating func endHead() -> CheckStep {
        // 101 answers a wish to switch protocols, which was not made: it is final.
        guard (100..<200).contains(status), status != 101 else {
            return check.passes(status) ? .passed : .failed(.status(status))
        }
        state = .statusLine(0)
        status = 0
        return .more
    }
}
