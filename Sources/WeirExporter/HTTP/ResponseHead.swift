/// Status line and headers of an answer (RFC 9112 section 4).
struct ResponseHead {
    /// Whether the connection stays open.
    enum Persistence {
        case close
        /// HTTP/1.1 goes on without saying so.
        case silent
        case announced
    }

    static let plainText = "text/plain; charset=utf-8"
    static let html = "text/html; charset=utf-8"
    static let json = "application/json"

    var status: HTTPStatus
    var contentType = ResponseHead.plainText
    /// Nil for a page in pieces.
    var contentLength: Int?
    var encoding = ContentEncoding.identity
    /// Whether another `Accept` or `Accept-Encoding` could have got another answer.
    var isNegotiated = false
    var persistence = Persistence.close
    /// When it was made (RFC 9110 section 6.6.1).
    var date = HTTPDate.now
    /// With 401: how one may be let in (RFC 9110 section 11.6.1).
    var challenges: [String] = []
    /// The policy of a document for browsers (`Content-Security-Policy`).
    var policy: String?

    /// Appends it, closing empty line included.
    func append(to output: inout [UInt8]) {
        output.append(ascii: "HTTP/1.1 ")
        output.append(decimal: status.rawValue)
        output.append(ascii: " ")
        output.append(ascii: status.reason)
        output.append(ascii: "\r\nDate: ")
        date.append(to: &output)
        output.append(ascii: "\r\nContent-Type: ")
        output.append(ascii: contentType)
        if let contentLength {
            output.append(ascii: "\r\nContent-Length: ")
            output.append(decimal: contentLength)
        } else {
            output.append(ascii: "\r\nTransfer-Encoding: chunked")
        }
        if encoding != .identity {
            output.append(ascii: "\r\nContent-Encoding: ")
            output.append(ascii: encoding.rawValue)
        }
        if isNegotiated { output.append(ascii: "\r\nVary: Accept, Accept-Encoding") }
        for challenge in challenges {
            output.append(ascii: "\r\nWWW-Authenticate: ")
            output.append(ascii: challenge)
        }
        if status == .tooManyRequests { output.append(ascii: "\r\nRetry-After: 1") }
        if status == .methodNotAllowed { output.append(ascii: "\r\nAllow: GET, HEAD") }
        switch persistence {
        case .close: output.append(ascii: "\r\nConnection: close")
        case .announced: output.append(ascii: "\r\nConnection: keep-alive")
        case .silent: break
        }
        if let policy {
            output.append(ascii: "\r\nContent-Security-Policy: ")
            output.append(ascii: policy)
            output.append(ascii: "\r\nX-Frame-Options: DENY\r\nReferrer-Policy: no-referrer")
            output.append(ascii: "\r\nCross-Origin-Opener-Policy: same-origin")
        }
        // No page of another origin can read an answer, nor take it into itself.
        output.append(ascii: "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff")
        output.append(ascii: "\r\nCross-Origin-Resource-Policy: same-origin\r\n\r\n")
    }
}

extension [UInt8] {
    mutating func append(ascii text: String) {
        append(contentsOf: text.utf8)
    }

    mutating func append(decimal value: Int) {
        append(contentsOf: String(value).utf8)
    }
}
