/// Every status that the exporter answers with: a closed set, so that its counters can be exported at 0 from the start.
public enum HTTPStatus: Int, CaseIterable, Sendable {
    /// 200.
    case ok = 200
    /// 400: what came is not HTTP.
    case badRequest = 400
    /// 401: no token or password, or a wrong one.
    case unauthorized = 401
    /// 403: connections from that address are not taken, or the page needs a certificate.
    case forbidden = 403
    /// 404: no such path.
    case notFound = 404
    /// 405: a method other than GET and HEAD.
    case methodNotAllowed = 405
    /// 408: the head did not come in time.
    case requestTimeout = 408
    /// 413: a body that is too long to be read and thrown away.
    case contentTooLarge = 413
    /// 414: the request line is too long.
    case targetTooLong = 414
    /// 421: the host that the request names is not served on this address.
    case misdirected = 421
    /// 429: wrong passwords too often.
    case tooManyRequests = 429
    /// 431: the head is too long.
    case headersTooLarge = 431
    /// 501: a transfer coding.
    case notImplemented = 501
    /// 503: not healthy, or not ready, or no room for this client.
    case unavailable = 503
    /// 505: an HTTP version other than 1.0 and 1.1.
    case versionNotSupported = 505

    /// The reason phrase (RFC 9110 section 15).
    public var reason: String {
        switch self {
        case .ok: "OK"
        case .badRequest: "Bad Request"
        case .unauthorized: "Unauthorized"
        case .forbidden: "Forbidden"
        case .notFound: "Not Found"
        case .methodNotAllowed: "Method Not Allowed"
        case .requestTimeout: "Request Timeout"
        case .contentTooLarge: "Content Too Large"
        case .targetTooLong: "URI Too Long"
        case .misdirected: "Misdirected Request"
        case .tooManyRequests: "Too Many Requests"
        case .headersTooLarge: "Request Header Fields Too Large"
        case .notImplemented: "Not Implemented"
        case .unavailable: "Service Unavailable"
        case .versionNotSupported: "HTTP Version Not Supported"
        }
    }
}

/// Why a request head is refused. The connection is closed after the answer: where the next request would start is
/// not known any more.
struct RequestError: Error, Equatable {
    var status: HTTPStatus
    /// The body of the answer, where the status alone does not tell what to do; it ends without a line feed.
    var explanation: String?

    static let malformed = RequestError(status: .badRequest)
}
