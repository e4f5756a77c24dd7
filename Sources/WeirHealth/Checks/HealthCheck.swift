import NetworkTypes

/// A way to find out whether a member serves: what is sent to it, and which answers pass.
///
/// With TLS the conversation begins after a handshake, whose failure is ``CheckResult/tls``: see ``CheckEncryption``.
public struct HealthCheck: Hashable, Sendable {
    /// The protocol that is spoken.
    public enum Kind: Hashable, Sendable {
        /// A TCP connection that is established. No byte is sent, and the application never sees the connection.
        case tcp
        /// A TLS handshake, and no byte of another protocol.
        case tls
        /// A question that a name server answers, over UDP or TCP.
        case dns(DNSCheck)
        /// The beginning of a PostgreSQL session, up to the server's demand for a password.
        case postgres(PostgresCheck)
        /// `PING` to a Redis server.
        case redis
        /// A request for a page, whose status decides.
        case http(HTTPCheck)
        /// Bytes of the owner's choice, and the bytes that must come back, over TCP or UDP.
        case exchange(ExchangeCheck)
    }

    /// The protocol that is spoken.
    public var kind: Kind
    /// The port to check in place of the member's own; nil for that one.
    public var port: UInt16?
    /// Whether a handshake comes first. The target has its ``HealthTarget/encryption`` then.
    public var isEncrypted: Bool

    /// A check of the member's own port, or of another one of the same address.
    public init(_ kind: Kind, port: UInt16? = nil, isEncrypted: Bool = false) {
        self.kind = kind
        self.port = port
        self.isEncrypted = isEncrypted || kind == .tls
    }

    /// The transport that carries the check.
    public var transport: Transport {
        switch kind {
        case .tcp, .tls, .postgres, .redis, .http: .tcp
        case .dns(let check): check.transport
        case .exchange(let check): check.transport
        }
    }

    /// The word for the kind, as configurations and metrics write it.
    public var word: String {
        switch kind {
        case .tcp: "tcp"
        case .tls: "tls"
        case .dns: "dns"
        case .postgres: "postgres"
        case .redis: "redis"
        case .http: "http"
        case .exchange: "send"
        }
    }
}
