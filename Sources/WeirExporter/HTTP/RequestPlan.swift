import WeirMetrics

/// The answer to prepare for a request. It holds none of the request's bytes but the credentials, so that the input can
/// be dropped.
struct RequestPlan: Equatable {
    enum Action: Equatable {
        case page(WantedPage, ContentEncoding)
        case health, readiness
        case index(ContentEncoding)
        /// A path of the ``PathHandler``.
        case other(PathRequest)
        case refuse(HTTPStatus)
    }

    private static let metricsPath = Array("/metrics".utf8)
    private static let healthPath = Array("/healthz".utf8)
    private static let readinessPath = Array("/readyz".utf8)
    /// The names that Prometheus and Alertmanager give the two.
    private static let otherHealthPath = Array("/-/healthy".utf8)
    private static let otherReadinessPath = Array("/-/ready".utf8)
    private static let statusPath = Array("/api/v1/status".utf8)
    private static let indexPath = Array("/".utf8)

    var action: Action
    /// The body of a refusal; nil is its status.
    var explanation: String?
    /// False for HEAD, whose answer ends with its head.
    var sendsBody = true
    /// Whether another request may follow on the connection.
    var keepsAlive = false
    /// HTTP/1.0 clients wait for the end of the connection unless they are told otherwise.
    var announcesKeepAlive = false
    /// Whether only those may have the answer who have a token or a password, where some are configured. Health is for
    /// everybody, and a refusal of what is no request tells nothing.
    var needsCredentials = false
    var credentials = Credentials.none
    /// The host that the request is for.
    var host = RequestedHost.none
    /// Bytes of a request body to throw away before answering.
    var discards = 0

    /// The answer to something that is not a request.
    init(refusing error: RequestError) {
        action = .refuse(error.status)
        explanation = error.explanation
    }

    /// The answer to a request, whose head was parsed from `bytes`.
    init(_ head: RequestHead, of bytes: Span<UInt8>, limits: ExporterLimits) {
        do throws(RequestError) {
            action = try Self.action(head, of: bytes)
        } catch {
            action = .refuse(error.status)
            explanation = error.explanation
        }
        host = head.host
        sendsBody = head.method != .head
        keepsAlive = head.keepsAlive
        announcesKeepAlive = head.keepsAlive && head.version == .http10
        needsCredentials = head.method != .other && action != .health && action != .readiness
        if needsCredentials, let value = head.authorization { credentials = Credentials(value, of: bytes) }
        guard head.framing != .none else { return }
        if case .length(let length) = head.framing, length <= UInt64(limits.discardedBodyBytes), !head.expectsContinue {
            discards = Int(length)
            return
        }
        // A body follows that is not read, so the next request cannot be found.
        keepsAlive = false
        announcesKeepAlive = false
        if head.method == .other || head.expectsContinue && head.framing != .coded { return }
        action = .refuse(head.framing == .coded ? .notImplemented : .contentTooLarge)
        explanation = nil
    }

    /// Turns it into the refusal of a name that is not served; what it says of body and connection stays.
    mutating func misdirect() {
        action = .refuse(.misdirected)
        explanation =
            "421 Misdirected Request: this host name is not served here. Ask by IP address or as localhost, or add the "
            + "name to exporter.hosts"
        needsCredentials = false
        credentials = .none
    }

    /// Turns it into the refusal of a client without a certificate, unless it asks for health.
    mutating func demandCertificate() {
        if action == .health || action == .readiness { return }
        action = .refuse(.forbidden)
        explanation = "403 Forbidden: this page needs a certificate of the client"
        needsCredentials = false
        credentials = .none
    }

    /// Turns it into the refusal of a client that may not know the path, unless scrapers may have the answer.
    mutating func restrictToScrapers() {
        if action.isForScrapers { return }
        action = .refuse(.notFound)
        explanation = nil
    }

    private static func action(_ head: RequestHead, of bytes: Span<UInt8>) throws(RequestError) -> Action {
        if head.method == .other { return .refuse(.methodNotAllowed) }
        if bytes.equals(head.path, metricsPath) {
            return .page(.metrics(try PageRequest(head, of: bytes)), head.encodings.preferred)
        }
        if bytes.equals(head.path, healthPath) || bytes.equals(head.path, otherHealthPath) { return .health }
        if bytes.equals(head.path, readinessPath) || bytes.equals(head.path, otherReadinessPath) { return .readiness }
        if bytes.equals(head.path, statusPath) { return .page(.status, head.encodings.preferred) }
        if head.path.isEmpty || bytes.equals(head.path, indexPath) { return .index(head.encodings.preferred) }
        return .refuse(.notFound)
    }
}

extension RequestPlan.Action {
    /// Whether it is for clients that may ask for metrics and for health, and for nothing else. Refusals are for all.
    var isForScrapers: Bool {
        switch self {
        case .page(.metrics, _), .health, .refuse: true
        case .page(.status, _), .readiness, .index, .other: false
        }
    }
}
