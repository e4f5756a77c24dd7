/// The protocol that begins in clear before its clients speak TLS.
public enum StartTLS: String, CaseIterable, Sendable {
    /// PostgreSQL: an SSLRequest, or TLS at once.
    case postgres
}

/// The clients that a route takes where several routes share a listener. A route without names and protocols takes the
/// rest.
public struct NameClaims: Hashable, Sendable {
    /// The names of TLS hellos (SNI, RFC 6066).
    public var serverNames: [ServerNamePattern] = []
    /// The protocols that hellos offer (ALPN, RFC 7301).
    public var protocols: [String] = []
    /// The protocol that precedes the hello; nil for a hello at once.
    public var startTLS: StartTLS?
    /// The longest time until the names are known, from the accept or the end of a PROXY header.
    public var helloTimeout = Duration.seconds(5)

    /// Creates the claims of a route that takes the rest.
    public init() {}

    /// Whether it takes the rest.
    public var isRest: Bool { serverNames.isEmpty && protocols.isEmpty }
}
