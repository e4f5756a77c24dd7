public import NetworkTypes
public import WeirHealth

/// The protocol that a health check speaks.
public enum HealthProtocol: String, CaseIterable, Sendable {
    /// A connection.
    case tcp
    /// A TLS handshake.
    case tls
    /// A question to a name server.
    case dns
    /// The beginning of a PostgreSQL session.
    case postgres
    /// `PING` to a Redis server.
    case redis
    /// A request for a page.
    case http
    /// Bytes, and the bytes that must come back.
    case send
}

/// How the upstreams of a route are checked, as it is written. ``check(over:)`` is what it means.
public struct HealthSettings: Sendable, Hashable {
    /// The protocol.
    public var check = HealthProtocol.tcp
    /// The port; nil is the upstream's own.
    public var port: UInt16?
    /// The path of ``HealthProtocol/http``.
    public var path: String?
    /// The method of ``HealthProtocol/http``.
    public var method: HTTPCheck.Method?
    /// The `Host` of ``HealthProtocol/http``.
    public var host: String?
    /// The statuses that pass.
    public var statuses: [ClosedRange<Int>]?
    /// The name that a name server is asked for.
    public var name: String?
    /// The type of records that a name server is asked for.
    public var type: DNSCheck.RecordType?
    /// The user of ``HealthProtocol/postgres``.
    public var user: String?
    /// The database of ``HealthProtocol/postgres``.
    public var database: String?
    /// The bytes that are sent.
    public var send: [UInt8]?
    /// The bytes that must come back.
    public var expect: [UInt8]?
    /// Whether the check speaks TLS; nil where that follows from the route.
    public var usesTLS: Bool?
    /// The authorities that the check trusts; nil for those of `upstream_tls`, or of the system.
    public var authorities: NamedFile?
    /// The name that upstreams must have; nil for that of `upstream_tls`, or each upstream's own host.
    public var serverName: String?
    /// Whether upstreams must prove who they are; nil as in `upstream_tls`.
    public var verifies: Bool?
    /// Times and counts.
    public var schedule = CheckSchedule()

    /// Creates the defaults: a TCP connection every five seconds.
    public init() {}

    /// Whether the check speaks TLS, on a route whose upstreams do so or not. At a port of its own it does where that
    /// is said.
    public func isEncrypted(besideTLS upstreamSpeaksTLS: Bool) -> Bool {
        switch check {
        case .tls: true
        case .tcp, .postgres: false
        case .dns, .redis, .http, .send: usesTLS ?? (hasOwnTLS || upstreamSpeaksTLS && port == nil)
        }
    }

    /// Whether it has settings of TLS of its own.
    var hasOwnTLS: Bool { authorities != nil || serverName != nil || verifies != nil }

    /// The check of a route that carries `transport`, and whose upstreams speak TLS or not.
    /// - Throws: ``HealthCheckError`` for values that no check can have.
    public func check(
        over transport: Transport, besideTLS upstreamSpeaksTLS: Bool = false
    ) throws(HealthCheckError) -> HealthCheck {
        let kind: HealthCheck.Kind =
            switch check {
            case .tcp: .tcp
            case .tls: .tls
            case .redis: .redis
            case .dns: .dns(try DNSCheck(name: name ?? ".", type: type ?? .ns, over: transport))
            case .postgres: .postgres(try PostgresCheck(user: user ?? "weir", database: database))
            case .http:
                .http(
                    try HTTPCheck(
                        path: path ?? "/", method: method ?? .get, statuses: statuses ?? HTTPCheck.usualStatuses,
                        host: host))
            case .send:
                .exchange(
                    try ExchangeCheck(
                        over: transport, send: send ?? [], expect: expect.map { .bytes($0) } ?? .anything))
            }
        return HealthCheck(kind, port: port, isEncrypted: isEncrypted(besideTLS: upstreamSpeaksTLS))
    }
}

extension RouteConfiguration {
    /// The TLS of the health checks: that of the upstreams, with what the checks have of their own; nil where they
    /// speak none.
    public var checkTLS: UpstreamTLS? {
        guard let health, health.isEncrypted(besideTLS: upstreamTLS != nil) else { return nil }
        var tls = upstreamTLS ?? UpstreamTLS()
        if let authorities = health.authorities {
            tls.authorities = authorities
            tls.verifies = true
        }
        if let name = health.serverName { tls.serverName = name }
        if let verifies = health.verifies { tls.verifies = verifies }
        if health.check == .http { tls.protocols = ["http/1.1"] }
        return tls
    }
}
