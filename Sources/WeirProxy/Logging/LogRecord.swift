import LinuxIO
import Logging
import NetworkTypes
import WeirAccess
import WeirStream

/// An event of a connection or session, on its way from a worker to the log's thread: plain values, so that creating
/// and queueing one allocates nothing. Only that of a client with TLS, or of a name, has a reference.
struct LogRecord: Sendable {
    /// How a connection or session went.
    struct Flow: Sendable, Equatable {
        var nanoseconds: UInt64 = 0
        var ingressBytes: UInt64 = 0
        var egressBytes: UInt64 = 0
        var ingressDatagrams: UInt64 = 0
        var egressDatagrams: UInt64 = 0
    }

    /// The event. Every reason has the same word as in the metrics.
    enum Fact: Sendable {
        case opened
        /// The client stands behind a trusted proxy.
        case proxied(by: SocketAddress)
        case headerFailed(ProxyHeaderError, ProxyHeaderExcerpt)
        case dialed(upstream: Int32, nanoseconds: UInt64)
        case rejected(RejectReason)
        case connectionClosed(ConnectionCloseReason, Flow)
        case sessionClosed(SessionCloseReason, Flow)
        case dialFailed(upstream: Int32, DialFailure, SystemError?)
        case upstreamFailed(upstream: Int32, UpstreamErrorReason)
        case timedOut(TimeoutKind)
        case acceptFailed(AcceptErrorReason, SystemError)
        case acceptPaused
        case resolveFailed(upstream: Int32, DialFailure)
        case decided(AccessDecision)
        case behindGateway
        /// A shared listener refused the client before a route was chosen.
        case undecided(ListenerFailure)
    }

    /// Wall-clock nanoseconds since 1970.
    var time: Int64
    /// The route's number in the log (see ``LogRouteTable``).
    var route: UInt32
    /// The connection's or session's number; 0 for none.
    var id: UInt64
    /// The client, where the fact concerns one.
    var client: SocketAddress?
    /// The address that was dialed, where there is one.
    var upstreamAddress: SocketAddress?
    /// The index in the route of the upstream that was reached; ``noUpstream`` before.
    var upstream = Self.noUpstream
    /// The handshake of the client, where there was one.
    var session: SecureSessionFacts?
    /// The server name in the hello of a client of names, where no handshake has told it.
    var serverName: [UInt8]?
    var fact: Fact

    /// No upstream was reached.
    static let noUpstream: Int32 = -1
}

extension LogRecord.Fact {
    /// How serious it is.
    var level: Logger.Level {
        switch self {
        // A health check, and not a client.
        case .rejected(.probe): .debug
        // The client said nothing: a scan, or the check of a balancer.
        case .undecided(.closed): .debug
        case .opened, .decided, .rejected, .undecided, .connectionClosed, .sessionClosed: .info
        case .dialed, .timedOut, .proxied: .debug
        case .acceptPaused, .resolveFailed, .behindGateway, .headerFailed: .warning
        // The client went away: nothing is wrong with the upstream, or with us.
        case .dialFailed(_, .canceled, _), .acceptFailed(.aborted, _): .debug
        case .dialFailed, .upstreamFailed, .acceptFailed: .error
        }
    }

    /// Whether its line tells of the client's handshake.
    var tellsSession: Bool {
        switch self {
        case .dialed, .rejected, .connectionClosed, .dialFailed, .decided: true
        case .opened, .proxied, .headerFailed, .sessionClosed, .upstreamFailed, .timedOut, .acceptFailed, .acceptPaused,
            .resolveFailed, .behindGateway, .undecided:
            false
        }
    }

    /// Whether its line tells of the name in the client's hello, where no handshake has told it.
    var tellsServerName: Bool {
        switch self {
        case .opened, .undecided: true
        default: tellsSession
        }
    }

    /// The key of repetition: facts of one route with the same key share one rate limit. Nil for facts that occur once
    /// per connection and are never limited.
    var repetition: LogRateLimiter.Kind? {
        switch self {
        case .opened, .proxied, .decided, .dialed, .connectionClosed, .sessionClosed, .timedOut, .behindGateway: nil
        case .rejected(let reason): .init(fact: 1, reason: UInt8(reason.ordinal))
        case .dialFailed(let upstream, let reason, _):
            .init(fact: 2, reason: UInt8(reason.ordinal), upstream: UInt16(truncatingIfNeeded: upstream))
        case .upstreamFailed(let upstream, let reason):
            .init(fact: 3, reason: UInt8(reason.ordinal), upstream: UInt16(truncatingIfNeeded: upstream))
        case .acceptFailed(let reason, _): .init(fact: 4, reason: UInt8(reason.ordinal))
        case .acceptPaused: .init(fact: 5, reason: 0)
        case .resolveFailed(let upstream, let reason):
            .init(fact: 6, reason: UInt8(reason.ordinal), upstream: UInt16(truncatingIfNeeded: upstream))
        case .headerFailed(let reason, _): .init(fact: 7, reason: UInt8(reason.ordinal))
        case .undecided(let reason): .init(fact: 8, reason: UInt8(reason.ordinal))
        }
    }
}
