import WeirMetrics
import WeirStream

// Families of listeners that several routes share; others have none of these series. At every moment the accepted
// clients are the undecided ones, the rejected ones and the hellos together.

extension MetricCatalogue {
    static let listenerAccepted = MetricDeclaration.counter(
        "listener_connections_accepted_total", "Connections accepted, before a route is chosen.", [.listen])
    static let listenerUndecided = MetricDeclaration.gauge(
        "listener_connections_undecided", "Connections for which no route is chosen yet.", [.listen])
    static let listenerRejected = MetricDeclaration.counter(
        "listener_connections_rejected_total", "Connections refused before a route was chosen.",
        [.listen, .of("reason", ListenerFailure.allCases.filter { HelloResult($0) == nil }.map(\.rawValue))])
    static let tlsHellos = MetricDeclaration.counter(
        "tls_hellos_total",
        "First bytes that were judged: by a name or protocol, to the route that takes the rest, or to none.",
        [.listen, .of("result", HelloResult.allCases.map(\.rawValue))])

    static let sharedListeners = [listenerAccepted, listenerUndecided, listenerRejected, tlsHellos]
}

/// The verdict about the first bytes of a client.
enum HelloResult: String, CaseIterable, Sendable {
    /// A route claims the name, or a protocol.
    case name
    /// It is a hello that no claim takes, and a route takes the rest.
    case `default`
    /// It is no TLS, and a route takes the rest.
    case notTLS = "not_tls"
    /// No route takes it.
    case noMatch = "no_match"
    /// It did not come in time.
    case timeout
    case malformed
    case tooLong = "too_long"
    /// The client ended before it was whole.
    case closed

    init(_ result: FirstBytesResult?) {
        switch result {
        case .name: self = .name
        // A listener of one route inspects nothing.
        case .default, nil: self = .default
        case .notTLS: self = .notTLS
        }
    }

    /// The verdict behind a failure; nil for one that has nothing to do with the bytes.
    init?(_ failure: ListenerFailure) {
        switch failure {
        case .noMatch: self = .noMatch
        case .malformed: self = .malformed
        case .tooLong: self = .tooLong
        case .timeout: self = .timeout
        case .closed: self = .closed
        case .acl, .perIPLimit, .rateLimit, .proxyProtocol, .overflow, .drained, .error: return nil
        }
    }
}
