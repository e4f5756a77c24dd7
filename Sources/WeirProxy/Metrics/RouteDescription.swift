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
    var features = RouteFeatures()

    /// Labels of families that are per route and protocol.
    var labels: [String] { [name, transport.rawValue] }

    /// For the log.
    var logRoute: LogRoute {
        LogRoute(name: name, transport: transport.rawValue, listen: listen, upstreams: upstreams.map(\.text))
    }
}

/// What a route has that others need not have, and what can happen to its clients therefore.
struct RouteFeatures: Sendable, Equatable {
    /// Access rules, of the route or of the process.
    var hasAccessRules = false
    /// A bound on what one client has at once, of the route or of the process.
    var hasPerIPLimit = false
    /// A bound on how fast a client opens connections or sessions, of the route or of the process.
    var hasRateLimit = false
    /// A bound on bytes a second, of the route or of the process.
    var hasBandwidth = false
    /// A program before the dial.
    var hasPreDial = false
    /// Peers that begin with a PROXY header.
    var readsProxyHeaders = false
}

extension RouteDescription {
    /// `limits` are those of the process, which every route has besides its own.
    init(_ route: RouteConfiguration, limits: TrafficLimits = TrafficLimits()) {
        name = route.name
        listen = route.listenText
        features.readsProxyHeaders = route.proxyProtocol.mode != .disabled
        var isName = false
        if case .name = route.host { isName = true }
        upstreams = [Upstream(text: route.upstreamText, isName: isName)]
        for limits in [route.limits, limits] {
            if limits.maxConnectionsPerIP != nil { features.hasPerIPLimit = true }
            if limits.rateLimit != nil { features.hasRateLimit = true }
            if !limits.bandwidth.isEmpty { features.hasBandwidth = true }
        }
        features.hasPreDial = route.preDial != nil
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
