import LinuxIO

/// The outcome of one check: its result, and what the answer was where it is not the expected one.
public struct CheckOutcome: Hashable, Sendable {
    /// The result.
    public let result: CheckResult
    /// The answer that did not pass; nil for all results but ``CheckResult/unexpected``.
    public let answer: UnexpectedAnswer?
    /// The time from the first packet to the answer, in nanoseconds; nil where the check failed, or passed by silence.
    public let durationNanoseconds: UInt64?

    private init(_ result: CheckResult, answer: UnexpectedAnswer? = nil, durationNanoseconds: UInt64? = nil) {
        self.result = result
        self.answer = answer
        self.durationNanoseconds = durationNanoseconds
    }

    /// The member answered as expected.
    public static func success(durationNanoseconds: UInt64?) -> CheckOutcome {
        CheckOutcome(.success, durationNanoseconds: durationNanoseconds)
    }

    /// The check failed for another reason than the answer.
    public static func failure(_ result: CheckResult) -> CheckOutcome { CheckOutcome(result) }

    /// The member answered, and the answer does not pass.
    public static func unexpected(_ answer: UnexpectedAnswer) -> CheckOutcome {
        CheckOutcome(.unexpected, answer: answer)
    }
}

extension CheckOutcome: CustomStringConvertible {
    /// `refused`, or `unexpected (status 503)`.
    public var description: String { answer.map { "\(result.rawValue) (\($0))" } ?? result.rawValue }
}

/// An answer that does not pass. Bytes of the member appear in it only as far as they are letters and digits, and few.
public enum UnexpectedAnswer: Hashable, Sendable, CustomStringConvertible {
    /// A response with this status.
    case status(Int)
    /// A DNS message with this response code.
    case responseCode(Int)
    /// An error of PostgreSQL: its SQLSTATE, five letters and digits.
    case sqlState(String)
    /// An error of Redis: its first word, such as `LOADING`.
    case errorReply(String)
    /// The stream ended before the answer was whole.
    case ended
    /// Bytes that are no message of the protocol.
    case malformed
    /// More bytes than an answer may have.
    case tooLong
    /// The expected bytes did not come.
    case noMatch

    /// The text of a log line.
    public var description: String {
        switch self {
        case .status(let status): "status \(status)"
        case .responseCode(let code): "response code \(code)"
        case .sqlState(let state): "SQLSTATE \(state)"
        case .errorReply(let word): "error \(word)"
        case .ended: "ended before the answer"
        case .malformed: "not the protocol"
        case .tooLong: "too long"
        case .noMatch: "not the expected bytes"
        }
    }
}
