/// The part of a request head that the exporter acts on (RFC 9112). Its texts are ranges of the bytes it was
/// parsed from, so that parsing allocates nothing.
struct RequestHead: Equatable {
    enum Method: Equatable {
        case get, head, other
    }

    enum Version: Equatable {
        case http10, http11
    }

    /// How long the body is (RFC 9112 section 6).
    enum Framing: Equatable {
        case none
        case length(UInt64)
        /// With a transfer coding, whose end would have to be looked for.
        case coded
    }

    var method: Method
    var version: Version
    /// Empty for an absolute target without a path, which means `/`.
    var path: Range<Int>
    /// The text after the question mark.
    var query: Range<Int>?
    /// The host that it is for.
    var host = RequestedHost.none
    var framing = Framing.none
    /// Whether the client wants to send another request on this connection (RFC 9112 section 9.3).
    var keepsAlive: Bool
    /// The client waits for `100 Continue` before it sends the body (RFC 9110 section 10.1.1).
    var expectsContinue = false
    var encodings = AcceptedEncodings()
    var formats = AcceptedFormats()
    /// The value of `Authorization`.
    var authorization: Range<Int>?
}
