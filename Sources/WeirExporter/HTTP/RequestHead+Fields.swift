extension RequestHead {
    private enum Name {
        static let host = Array("host".utf8)
        static let connection = Array("connection".utf8)
        static let contentLength = Array("content-length".utf8)
        static let transferEncoding = Array("transfer-encoding".utf8)
        static let expect = Array("expect".utf8)
        static let accept = Array("accept".utf8)
        static let acceptEncoding = Array("accept-encoding".utf8)
        static let authorization = Array("authorization".utf8)
    }

    private enum Value {
        static let close = Array("close".utf8)
        static let keepAlive = Array("keep-alive".utf8)
        static let proceed = Array("100-continue".utf8)
    }

    /// The facts about all header lines that are needed to validate the head.
    private struct HeaderSummary {
        var hosts = 0
        var length: UInt64?
        var isCoded = false
        var asksToClose = false
        var asksToKeepAlive = false
    }

    /// Parses a complete head, as ``HeadScanner`` found it: `bytes` ends with its empty line.
    static func parse(_ bytes: Span<UInt8>) throws(RequestError) -> RequestHead {
        var position = 0
        var line = try nextLine(in: bytes, from: &position)
        while line.isEmpty, position < bytes.count { line = try nextLine(in: bytes, from: &position) }
        var head = try RequestHead(requestLine: line, of: bytes)
        var summary = HeaderSummary()
        while true {
            line = try nextLine(in: bytes, from: &position)
            if line.isEmpty { break }
            try head.readField(line, of: bytes, &summary)
        }
        try head.validate(summary)
        return head
    }

    /// The bytes of the next line without its end.
    private static func nextLine(in bytes: Span<UInt8>, from position: inout Int) throws(RequestError) -> Range<Int> {
        let start = position
        var end = start
        while end < bytes.count, bytes[end] != ASCII.lineFeed { end += 1 }
        guard end < bytes.count else { throw .malformed }
        position = end + 1
        return start..<(end > start && bytes[end - 1] == ASCII.carriageReturn ? end - 1 : end)
    }

    /// `name ":" OWS value OWS` (RFC 9112 section 5).
    private mutating func readField(
        _ line: Range<Int>, of bytes: Span<UInt8>, _ summary: inout HeaderSummary
    ) throws(RequestError) {
        var colon = line.lowerBound
        // A blank before the colon is no token character: section 5.1 wants such a request refused.
        while colon < line.upperBound, ASCII.isToken(bytes[colon]) { colon += 1 }
        let name = line.lowerBound..<colon
        guard !name.isEmpty, colon < line.upperBound, bytes[colon] == UInt8(ascii: ":") else { throw .malformed }
        let value = bytes.trimmingBlanks(colon + 1..<line.upperBound)
        guard bytes.allSatisfy(value, ASCII.isFieldContent) else { throw .malformed }
        if bytes.matches(name, Name.host) {
            let host = try RequestedHost(value, of: bytes)
            summary.hosts += 1
            // An absolute target counts, and not the field (RFC 9112 section 3.2.2).
            if self.host == .none { self.host = host }
        } else if bytes.matches(name, Name.connection) {
            Self.readConnection(value, of: bytes, &summary)
        } else if bytes.matches(name, Name.contentLength) {
            // A list of equal lengths would be allowed; no usual client sends one.
            guard summary.length == nil else { throw .malformed }
            summary.length = try Self.length(value, of: bytes)
        } else if bytes.matches(name, Name.transferEncoding) {
            summary.isCoded = true
        } else if bytes.matches(name, Name.expect) {
            if bytes.matches(value, Value.proceed) { expectsContinue = true }
        } else if bytes.matches(name, Name.accept) {
            formats.merge(value, of: bytes)
        } else if bytes.matches(name, Name.acceptEncoding) {
            encodings.merge(value, of: bytes)
        } else if bytes.matches(name, Name.authorization) {
            // Not a list: two values would be ambiguous.
            guard authorization == nil else { throw .malformed }
            authorization = value
        }
    }

    private static func readConnection(_ value: Range<Int>, of bytes: Span<UInt8>, _ summary: inout HeaderSummary) {
        var position = value.lowerBound
        while let member = ListMember.next(in: bytes, from: &position, to: value.upperBound) {
            if bytes.matches(member.name, Value.close) { summary.asksToClose = true }
            if bytes.matches(member.name, Value.keepAlive) { summary.asksToKeepAlive = true }
        }
    }

    private static func length(_ value: Range<Int>, of bytes: Span<UInt8>) throws(RequestError) -> UInt64 {
        guard !value.isEmpty else { throw .malformed }
        var length: UInt64 = 0
        for index in value {
            guard ASCII.isDigit(bytes[index]) else { throw .malformed }
            let (tens, overflow) = length.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.addingReportingOverflow(UInt64(bytes[index] - UInt8(ascii: "0")))
            // More than fits is a number all the same, and too long for every bound.
            length = overflow || carry || length == .max ? .max : sum
        }
        return length
    }

    private mutating func validate(_ summary: HeaderSummary) throws(RequestError) {
        // RFC 9112 section 3.2: exactly one Host, unless the client speaks 1.0.
        if summary.hosts > 1 || (summary.hosts == 0 && version == .http11) { throw .malformed }
        if summary.isCoded {
            // Section 6.1: both lengths at once is how requests are smuggled, and 1.0 has no transfer codings.
            if summary.length != nil || version == .http10 { throw .malformed }
            framing = .coded
        } else if let length = summary.length, length > 0 {
            framing = .length(length)
        }
        if summary.asksToClose {
            keepsAlive = false
        } else if version == .http10 {
            keepsAlive = summary.asksToKeepAlive
        }
    }
}
