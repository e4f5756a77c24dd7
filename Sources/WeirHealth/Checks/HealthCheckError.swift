/// The reason why a check cannot be made of the values that were given.
public enum HealthCheckError: Error, Hashable, Sendable, CustomStringConvertible {
    /// No domain name: an empty label, one of more than 63 bytes, more than 253 bytes in all, or a byte that is no
    /// printable ASCII.
    case invalidName(String)
    /// No list of response codes.
    case noResponseCodes
    /// The name of a PostgreSQL user or database is empty, longer than 63 bytes, or holds a zero byte.
    case invalidIdentifier(String)
    /// The path does not begin with `/`, is longer than 2,048 bytes, or holds a space or another byte that no request
    /// may have.
    case invalidPath(String)
    /// The value of `Host` is empty, longer than 255 bytes, or holds a byte that no host has.
    case invalidHost(String)
    /// No status, or one outside of 200 to 599.
    case invalidStatuses
    /// More bytes than one check sends or expects.
    case tooLong(count: Int, limit: Int)
    /// No byte is expected: any answer would pass, which ``ExchangeCheck/Expectation/anything`` says.
    case emptyExpectation
    /// Only a datagram can be answered by silence.
    case silenceOverTCP

    /// The text of a message.
    public var description: String {
        switch self {
        case .invalidName(let text): "expected a domain name, found `\(text)`"
        case .noResponseCodes: "expected at least one response code"
        case .invalidIdentifier(let text): "expected a name of 1 to 63 bytes, found `\(text)`"
        case .invalidPath(let text): "expected a path that begins with `/` and has no spaces, found `\(text)`"
        case .invalidHost(let text): "expected a host, found `\(text)`"
        case .invalidStatuses: "expected statuses from 200 to 599"
        case .tooLong(let count, let limit): "expected at most \(limit) bytes, found \(count)"
        case .emptyExpectation: "expected at least one byte"
        case .silenceOverTCP: "silence passes over udp only"
        }
    }
}
