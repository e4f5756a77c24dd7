/// The search for expected bytes in what a member sends, and for nothing at all.
struct ExchangeConversation {
    private let pattern: BytePattern
    private let awaitsSilence: Bool
    private var matched = 0
    private var bytesSeen = 0
    private var datagramsSeen = 0

    init(_ pattern: BytePattern, awaitsSilence: Bool = false) {
        self.pattern = pattern
        self.awaitsSilence = awaitsSilence
    }

    mutating func receive(_ bytes: ArraySlice<UInt8>) -> CheckStep {
        if bytes.isEmpty { return .more }
        return search(bytes)
    }

    /// A datagram is searched by itself, and passes where it is all that is expected even if it is empty.
    mutating func receive(datagram bytes: ArraySlice<UInt8>) -> CheckStep {
        // Whatever the member says, it is there: a service that answers by way of exception passes, too.
        if awaitsSilence { return .passed }
        matched = 0
        datagramsSeen += 1
        if pattern.isEmpty { return .passed }
        let step = search(bytes)
        return step == .more && datagramsSeen >= Conversation.maxDatagrams ? .failed(.noMatch) : step
    }

    private mutating func search(_ bytes: ArraySlice<UInt8>) -> CheckStep {
        for byte in bytes {
            guard bytesSeen < Conversation.maxAnswerBytes else { return .failed(.noMatch) }
            bytesSeen += 1
            if pattern.advance(&matched, with: byte) { return .passed }
        }
        return .more
    }

    var timeoutOutcome: CheckOutcome {
        if awaitsSilence { return .success(durationNanoseconds: nil) }
        return hasInput ? .unexpected(.noMatch) : .failure(.timeout)
    }

    /// Whether the member has said anything.
    var hasInput: Bool { bytesSeen > 0 || datagramsSeen > 0 }
}
