public import NetworkTypes
public import WeirHealth

/// The protocol that a health check speaks.
public enum HealthProtocol: String, CaseIterable, Sendable {
    /// A connection.
    case tcp
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
    /// Times and counts.
    public var schedule = CheckSchedule()

    /// Creates the defaults: a TCP connection every five seconds.
    public init() {}

    /// The check of a route that carries `transport`.
    /// - Throws: ``HealthCheckError`` for values that no check can have.
    public func check(over transport: Transport) throws(HealthCheckError) -> HealthCheck {
        let kind: HealthCheck.Kind =
            switch check {
            case .tcp: .tcp
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
        return HealthCheck(kind, port: port)
    }
}
