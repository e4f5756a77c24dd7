import NetworkTypes

/// One route: a named listener and where it leads.
public struct RouteConfiguration: Sendable, Equatable {
    /// The name, which is also the `route` label: 1–64 characters of `[A-Za-z0-9_.-]`, the first alphanumeric.
    public var name: String
    /// The transport and the families of the listener.
    public var scheme: Network
    /// The address to bind; nil is every address of the scheme's families. Never an IPv4-mapped IPv6 address (those are
    /// turned into IPv4), and always of a family that the scheme has.
    public var bind: ScopedAddress?
    /// The upstreams to dial, at least one. Equal ones are an error in a file.
    public var upstreams: [UpstreamConfiguration]
    /// Which of them a client gets.
    public var selection = SelectionSettings()
    /// The members that names among them stand for.
    public var names = NameSettings()
    /// How they are checked; nil is not at all.
    public var health: HealthSettings?
    /// The port to listen on.
    public var listenPort: UInt16
    /// The port to dial at upstreams that name none.
    public var upstreamPort: UInt16
    /// The clients that it takes where it shares the listener with other routes (TCP).
    public var claims = NameClaims()
    /// The settings of the transport. Its case always agrees with ``scheme``.
    public var settings: TransportSettings
    /// The access rules of this route, besides those of the global section; nil without any.
    public var access: RouteAccessConfiguration?
    /// The limits of clients on this route.
    public var limits: TrafficLimits
    /// The program that decides before the dial; nil is none.
    public var preDial: PreDialProgram?

    /// Makes a route with one upstream; nothing is validated. Without settings it has the defaults of its transport.
    public init(
        name: String, scheme: Network, bind: ScopedAddress? = nil, host: UpstreamHost = .name("localhost"),
        listenPort: UInt16, upstreamPort: UInt16, settings: TransportSettings? = nil,
        access: RouteAccessConfiguration? = nil, limits: TrafficLimits = TrafficLimits(),
        preDial: PreDialProgram? = nil
    ) {
        self.name = name
        self.scheme = scheme
        self.bind = bind
        upstreams = [UpstreamConfiguration(host)]
        self.listenPort = listenPort
        self.upstreamPort = upstreamPort
        self.settings = settings ?? (scheme.transport == .tcp ? .tcp(TCPSettings()) : .udp(UDPSettings()))
        self.access = access
        self.limits = limits
        self.preDial = preDial
    }

    /// The transport that the route carries.
    public var transport: Transport { scheme.transport }

    /// The TCP settings, on a TCP route.
    public var tcp: TCPSettings? {
        if case .tcp(let settings) = settings { settings } else { nil }
    }

    /// The UDP settings, on a UDP route.
    public var udp: UDPSettings? {
        if case .udp(let settings) = settings { settings } else { nil }
    }

    /// The address that is bound: ``bind``, or every address of the scheme's families.
    private var boundAddress: ScopedAddress { bind ?? ScopedAddress(scheme.wildcard) }

    /// The address on which the route listens.
    /// - Throws: ``EndpointError`` where the scheme excludes the address's family, which no file can say.
    public var listenAddress: ListenAddress {
        get throws(EndpointError) { try ListenAddress(scheme, address: bind, port: listenPort) }
    }

    /// The upstreams of the route, in the order of the configuration.
    /// - Throws: ``EndpointError`` where a host or port cannot be dialed, which no file can say.
    public var targets: [Upstream] {
        get throws(EndpointError) {
            var targets: [Upstream] = []
            for upstream in upstreams {
                targets.append(try Upstream(upstream.host, port: upstream.port ?? upstreamPort))
            }
            return targets
        }
    }

    /// Whether a policy chooses among the upstreams. A single one needs none without checks, a bound or a drain.
    public var hasSet: Bool {
        upstreams.count > 1 || health != nil
            || upstreams.contains {
                $0.maxConnections != nil || $0.isDraining || $0.source != nil || $0.hasMembers(names)
            }
    }

    /// Whether the listener takes IPv4 and IPv6 through one socket (`IPV6_V6ONLY` off): `tcp` or `udp` without `bind`,
    /// or bound to `::`.
    public var isDualStack: Bool { scheme.isDualStack(at: boundAddress.ip) }

    /// Every upstream by its name, or as `host:port` with brackets around IPv6 addresses, in the log.
    public var upstreamTexts: [String] { upstreams.map { $0.text(targetPort: upstreamPort) } }

    /// All of them in one text, for logs.
    public var upstreamText: String { upstreamTexts.joined(separator: ",") }

    /// The host of the only upstream, where that has the target port of the route: `host` in a file.
    public var host: UpstreamHost? {
        get {
            upstreams.count == 1 && upstreams[0] == UpstreamConfiguration(upstreams[0].host)
                ? upstreams[0].host : nil
        }
        set { if let newValue { upstreams = [UpstreamConfiguration(newValue)] } }
    }

    /// The listener in words for logs and labels: `tcp4://0.0.0.0:2222`, or `tcp://*:2222` for every address.
    public var listenText: String {
        "\(scheme.rawValue)://\(isDualStack ? "*" : boundAddress.bracketed):\(listenPort)"
    }
}
