import LinuxIO
import NetworkTypes
import WeirConfiguration

/// The routes of the demo. Each shows something else; together they make every metric move.
enum DemoRoute: String, CaseIterable, Sendable {
    /// Steady messages over connections that stay, through a name.
    case echo
    /// A connection for every request.
    case web
    /// Large answers towards a reader that is slow: back-pressure.
    case bulk
    /// Clients that finish sending before they are answered.
    case upload
    /// Resets of both sides.
    case flaky
    /// More clients than `max_connections`, and silence until `idle_timeout`.
    case limited
    /// An upstream without a listener.
    case dead
    /// An upstream that never answers: its backlog is full.
    case silent
    /// An upstream whose name does not exist.
    case nameless
    /// Queries from ever new ports, one answer each.
    case dns
    /// One session that goes on and on, both ways.
    case game
    /// Datagrams without an answer, as is right for syslog.
    case syslog
    /// A UDP upstream without a listener.
    case deadUDP = "dead-udp"
    /// Clients that open connections faster than `rate_limit` lets them, and more than `max_connections_per_ip`.
    case rateLimited = "rate-limited"
    /// Answers that `bandwidth` holds to a rate.
    case bandwidthLimited = "bandwidth-limited"
    /// A program before the dial that lets every other client pass.
    case preDialHook = "pre-dial-hook"
    /// Three upstreams, of which one fails and comes back, again and again.
    case replicas

    private var index: UInt16 { UInt16(DemoRoute.allCases.firstIndex(of: self) ?? 0) }

    /// The port of the route's listener.
    func listenPort(_ base: UInt16) -> UInt16 { base + index }
    /// The port of the route's upstream.
    func upstreamPort(_ base: UInt16) -> UInt16 { base + 50 + index }

    /// The route's listener, for its clients.
    func listener(_ base: UInt16) -> SocketAddress { SocketAddress(.loopbackIPv4, port: listenPort(base)) }
    /// The upstream's address.
    func upstream(_ base: UInt16) -> SocketAddress { SocketAddress(.loopbackIPv4, port: upstreamPort(base)) }

    /// The addresses of ``replicas``; the last one fails and comes back.
    static func replicas(_ base: UInt16) -> [SocketAddress] {
        (0..<3).map { SocketAddress(.loopbackIPv4, port: base + 90 + $0) }
    }

    /// The route as a configuration would have it.
    func configuration(_ base: UInt16) -> RouteConfiguration {
        var route = RouteConfiguration(
            name: rawValue, scheme: scheme, bind: .loopbackIPv4, host: host, listenPort: listenPort(base),
            upstreamPort: upstreamPort(base), settings: settings, limits: limits, preDial: preDial)
        guard self == .replicas else { return route }
        route.upstreams = Self.replicas(base).enumerated().map { index, address in
            var upstream = UpstreamConfiguration(.address(.loopbackIPv4), port: address.port)
            upstream.name = "replica-\(index + 1)"
            return upstream
        }
        var health = HealthSettings()
        health.check = .http
        health.schedule.interval = .seconds(1)
        route.health = health
        route.selection.ejection = Ejection(failures: 3, duration: .seconds(5), maxDuration: .seconds(5))
        return route
    }

    private var limits: TrafficLimits {
        switch self {
        case .rateLimited: TrafficLimits(maxConnectionsPerIP: 3, rateLimit: RateLimit(count: 3, burst: 4))
        case .bandwidthLimited: TrafficLimits(bandwidth: Bandwidth(total: ByteRates(egress: 200_000)))
        default: TrafficLimits()
        }
    }

    private var preDial: PreDialProgram? {
        self == .preDialHook ? PreDialProgram(command: ["sh", "-c", "[ $((WEIR_CLIENT_PORT % 4)) -lt 2 ]"]) : nil
    }

    private var scheme: Network {
        switch self {
        case .dns, .game, .syslog, .deadUDP: .udp4
        default: .tcp4
        }
    }

    private var host: UpstreamHost {
        switch self {
        case .echo, .dns: .name("localhost")
        // RFC 6761: never the name of anything.
        case .nameless: .name("upstream.invalid")
        default: .address(.loopbackIPv4)
        }
    }

    private var settings: TransportSettings {
        switch self {
        case .limited: .tcp(TCPSettings(idleTimeout: .seconds(3), maxConnections: 2))
        case .silent, .nameless: .tcp(TCPSettings(dialTimeout: .seconds(1)))
        case .dns: .udp(UDPSettings(responses: 1))
        case .game: .udp(UDPSettings())
        case .syslog, .deadUDP: .udp(UDPSettings(unassuredTimeout: .seconds(5)))
        default: .tcp(TCPSettings())
        }
    }
}
