import WeirConfiguration
import WeirStream

/// What the metrics and the log say of a route: its texts, and what decides which members are possible.
struct RouteDescription: Sendable, Equatable {
    /// An upstream as configured.
    struct Upstream: Sendable, Equatable {
        /// `host:port`, the label.
        var text: String
        /// Whether it has to be resolved.
        var isName: Bool
    }

    var name: String
    var transport: WeirStream.Transport
    /// `tcp4://0.0.0.0:2222`.
    var listen: String
    var upstreams: [Upstream]
    /// `max_connections` or `max_sessions`, where there is one.
    var limit: Int?
    var hasIdleTimeout: Bool
    /// Whether some peers begin with a PROXY header.
    var readsProxyHeaders = false

    /// Labels of families that are per route and protocol.
    var labels: [String] { [name, transport.rawValue] }

    /// For the log.
    var logRoute: LogRoute {
        LogRoute(name: name, transport: transport.rawValue, listen: listen, upstreams: upstreams.map(\.text))
    }
}

extension RouteDescription {
    init(_ route: RouteConfiguration) {
        name = route.name
        listen = route.listenText
        readsProxyHeaders = route.proxyProtocol.mode != .disabled
        var isName = false
        if case .name = route.host { isName = true }
        upstreams = [Upstream(text: route.upstreamText, isName: isName)]
        switch route.settings {
        case .tcp(let settings):
            transport = .tcp
            limit = settings.maxConnections
            hasIdleTimeout = settings.idleTimeout != nil
        case .udp(let settings):
            transport = .udp
            limit = settings.maxSessions
            hasIdleTimeout = true
        }
    }
}
