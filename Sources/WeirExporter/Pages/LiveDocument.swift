/// The document at `/api/v1/status`, made in pieces as a ``MetricsPage`` is. It is called on the exporter's thread
/// only, for one document at a time.
public protocol LiveDocument: AnyObject {
    /// Begins the document.
    func begin()
    /// Appends the next piece to `output`, which should take no more than a few milliseconds.
    /// - Returns: whether the document is complete.
    func appendPiece(to output: inout [UInt8]) -> Bool
    /// Gives up the document that was begun: no client waits for it any more.
    func drop()
}

/// The page at `/` of a program that has one of its own.
public struct StartPage: Sendable {
    /// The whole document, in UTF-8.
    public var html: [UInt8]
    /// The value of `Content-Security-Policy` (CSP Level 3): what the document may do in a browser.
    public var policy: String

    /// A page with its policy.
    public init(html: [UInt8], policy: String) {
        self.html = html
        self.policy = policy
    }
}
