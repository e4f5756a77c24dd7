import NetworkTypes
import WeirConfiguration
import WeirStream

/// The texts of a route in the metrics and the log, and the settings that decide which label values are possible.
struct RouteDescription: Sendable, Equatable {
    /// An upstream as configured.
    struct Upstream: Sendable, Equatable {
        /// The label, such as `host:port`.
        var label: String
        /// Whether it has to be resolved.
        var isName: Bool
    }

    /// A member that the engine dials.
    struct Member: Sendable, Equatable {
        /// Its text in the log.
        var text: String
        /// The index in ``RouteDescription/upstreams`` of the upstream as configured.
        var upstream: Int
        /// The agent that it is behind.
        var agent: String?
    }

    var name: String
    var transport: Transport
    /// `tcp4://0.0.0.0:2222`.
    var listen: String
    var upstreams: [Upstream] = []
    /// In the order of the engine.
    var members: [Member] = []
    /// `max_connections` or `max_sessions`, where there is one.
    var limit: Int?
    /// The transport, and what can happen to the route's clients by its settings and those of the process.
    var traits: StreamTraits

    /// Labels of families that are per route and protocol.
    var labels: [String] { [name, transport.rawValue] }

    /// For the log.
    var logRoute: LogRoute {
        var route = LogRoute(
            name: name, transport: transport.rawValue, listen: listen, upstreams: members.map(\.text))
        for (index, member) in members.enumerated() { route.agents[index] = member.agent }
        return route
    }
}

extension RouteDescription {
    /// `limits` are those of the process, which every route has besides its own.
    init(_ route: RouteConfiguration, limits: TrafficLimits = TrafficLimits()) {
        name = route.name
        listen = route.listenText
        var indices: [String: Int] = [:]
        for member in route.upstreams {
            let label = member.label(targetPorts: route.targetPorts)
            let index = indices[label] ?? upstreams.count
            if index == upstreams.count {
                indices[label] = index
                // An agent's own name is looked up here, those behind it are not.
                let host = member.agent.flatMap { route.agentAddresses[$0]?.host } ?? member.host
                upstreams.append(Upstream(label: label, isName: host.isName || member.source != nil))
            }
            let text = member.text(targetPorts: route.targetPorts)
            members.append(Member(text: text, upstream: index, agent: member.agent))
        }
        switch route.settings {
        case .tcp(let settings):
            transport = .tcp
            limit = settings.maxConnections
            traits = settings.idleTimeout == nil ? .tcp : [.tcp, .idleTimeout]
        case .udp(let settings):
            transport = .udp
            limit = settings.maxSessions
            traits = [.udp, .idleTimeout]
            if settings.responses != nil { traits.insert(.countedReplies) }
            if settings.amplification != nil { traits.insert(.amplificationLimit) }
        }
        if route.proxyProtocol.mode != .disabled { traits.insert(.proxyHeaders) }
        if route.tls != nil { traits.insert(.encryptedClient) }
        if route.upstreamTLS != nil { traits.insert(.encryptedUpstream) }
        if route.preDial != nil || route.ownAgent != nil { traits.insert(.preDial) }
        if route.ownAgent != nil { traits.insert(.chosenDestinations) }
        if route.hasSet { traits.insert(.upstreamSet) }
        if route.upstreams.contains(where: { $0.agent != nil }) { traits.insert(.agentUpstream) }
        if route.upstreams.contains(where: { $0.maxConnections != nil }) { traits.insert(.upstreamLimit) }
        for limits in [route.limits, limits] {
            if limits.maxConnectionsPerIP != nil { traits.insert(.clientLimit) }
            if limits.rateLimit != nil { traits.insert(.rateLimit) }
            if !limits.bandwidth.isEmpty { traits.insert(.bandwidth) }
        }
    }
}

extension StreamTraits {
    /// Everything that a route of Weir can have, for the reference. No hook of a route closes what it has read.
    static let routes: StreamTraits = [
        .tcp, .udp, .ingress, .egress, .accessRules, .clientLimit, .rateLimit, .bandwidth, .preDial, .proxyHeaders,
        .idleTimeout, .upstreamName, .countedReplies, .amplificationLimit, .upstreamSet, .upstreamLimit,
        .encryptedClient, .encryptedUpstream, .agentUpstream, .chosenDestinations,
    ]
}
