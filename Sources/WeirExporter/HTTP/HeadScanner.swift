/// Finds the end of a request head in bytes that arrive bit by bit, and refuses early what can never become one.
///
/// Each byte is looked at once, so a head that comes a byte at a time costs no more than one that comes whole, and the
/// outcome does not depend on how the bytes were split.
struct HeadScanner {
    private enum State {
        case beforeRequestLine, requestLine, lineStart, field
    }

    /// RFC 9112 section 2.2: empty lines before a request are ignored, "at least one"; here at most two.
    private static let maxEmptyLines = 2

    private var state = State.beforeRequestLine
    private var position = 0
    private var emptyLines = 0
    private var isAfterCarriageReturn = false

    /// Whether any byte of a head was seen.
    var hasBegun: Bool { position > 0 }

    /// Goes on where the last call stopped: `bytes` is what it was then, and more.
    /// - Returns: the length of the head, closing empty line included, or nil while it is incomplete.
    mutating func scan(_ bytes: Span<UInt8>, limit: Int) throws(RequestError) -> Int? {
        while position < bytes.count {
            let isComplete = try step(bytes[position])
            position += 1
            if isComplete { return position }
            if position >= limit {
                let isInHeaders = state == .lineStart || state == .field
                throw RequestError(status: isInHeaders ? .headersTooLarge : .targetTooLong)
            }
        }
        return nil
    }

    private mutating func step(_ byte: UInt8) throws(RequestError) -> Bool {
        if byte == ASCII.lineFeed {
            // RFC 9112 section 2.2 lets a lone LF end a line.
            isAfterCarriageReturn = false
            return try endLine()
        }
        // A CR that ends no line.
        if isAfterCarriageReturn { throw .malformed }
        if byte == ASCII.carriageReturn {
            isAfterCarriageReturn = true
            return false
        }
        switch state {
        case .beforeRequestLine:
            guard ASCII.isToken(byte) else { throw .malformed }
            state = .requestLine
        case .requestLine:
            guard ASCII.isVisible(byte) || byte == ASCII.space else { throw .malformed }
        case .lineStart:
            // A blank here would be obs-fold (RFC 9112 section 5.2).
            guard ASCII.isToken(byte) else { throw .malformed }
            state = .field
        case .field:
            guard ASCII.isFieldContent(byte) else { throw .malformed }
        }
        return false
    }

    private mutating func endLine() throws(RequestError) -> Bool {
        switch state {
        case .beforeRequestLine:
            emptyLines += 1
            if emptyLines > Self.maxEmptyLines { throw .malformed }
        case .requestLine, .field: state = .lineStart
        case .lineStart: return true
        }
        return false
    }
}
