import NetworkTypes

/// One route: a named listener and where it leads.
public struct RouteConfiguration: Sendable, Equatable {
    /// The name, which is also the `route` label: 1–64 characters of `[A-Za-z0-9_.-]`, the first alphanumeric.
    public var name: String
    /// The transport and the families of the listener.
    public var scheme: Network
    /// The addresses to bind; none is every address of the scheme's families. Never an IPv4-mapped IPv6 address (those
    /// are turned into IPv4), and always of a family that the scheme has.
    public var bind: [BindAddress]
    /// The upstreams to dial, at least one. Equal ones are an error in a file.
    public var upstreams: [UpstreamConfiguration]
    /// Which of them a client gets.
    public var selection = SelectionSettings()
    /// The members that names among them stand for.
    public var names = NameSettings()
    /// The agent that dials upstreams which name none themselves; nil where this process does.
    public var agent: String?
    /// Where the agents of the upstreams listen, by their names.
    public var agentAddresses: [String: AgentAddress] = [:]
    /// How they are checked; nil is not at all.
    public var health: HealthSettings?
    /// The ports to listen on, each once, and those to dial at upstreams that name none. A route that listens on Unix
    /// sockets alone may have none.
    public var ports: [PortMapping]
    /// The clients that it takes where it shares the listener with other routes (TCP).
    public var claims = NameClaims()
    /// How its clients speak TLS; nil where it passes all bytes on.
    public var tls: RouteTLS?
    /// How its upstreams speak TLS; nil where they do not.
    public var upstreamTLS: UpstreamTLS?
    /// The settings of an agent, whose clients say where they are connected to; nil for every other route.
    public var ownAgent: AgentRoute?
    /// The settings of the transport. Its case always agrees with ``scheme``.
    public var settings: TransportSettings
    /// The access rules of this route, besides those of the global section; nil without any.
    public var access: RouteAccessConfiguration?
    /// The limits of clients on this route.
    public var limits: TrafficLimits
    /// The program that decides before the dial; nil is none.
    public var preDial: PreDialProgram?

    /// Makes a route with one port and one upstream; nothing is validated. Without settings it has the defaults of its
    /// transport.
    public init(
        name: String, scheme: Network, bind: ScopedAddress? = nil, host: UpstreamHost = .name("localhost"),
        listenPort: UInt16, upstreamPort: UInt16, settings: TransportSettings? = nil,
        access: RouteAccessConfiguration? = nil, limits: TrafficLimits = TrafficLimits(),
        preDial: PreDialProgram? = nil
    ) {
        self.name = name
        self.scheme = scheme
        self.bind = bind.map { [.ip($0)] } ?? []
        upstreams = [UpstreamConfiguration(host)]
        ports = [PortMapping(listen: listenPort, target: upstreamPort)]
        self.settings = settings ?? (scheme.transport == .tcp ? .tcp(TCPSettings()) : .udp(UDPSettings()))
        self.access = access
        self.limits = limits
        self.preDial = preDial
    }

    /// The transport that the route carries.
    public var transport: Transport { scheme.transport }

    /// Whether first bytes must be looked at: they choose the route, or precede its handshake.
    public var choosesClients: Bool { !claims.isRest || claims.startTLS != nil && tls != nil }

    /// The TCP settings, on a TCP route.
    public var tcp: TCPSettings? {
        if case .tcp(let settings) = settings { settings } else { nil }
    }

    /// The UDP settings, on a UDP route.
    public var udp: UDPSettings? {
        if case .udp(let settings) = settings { settings } else { nil }
    }

    /// The addresses that dials come from; nil leaves them to the kernel.
    public var dialFrom: DialSource? {
        switch settings {
        case .tcp(let settings): settings.dialFrom
        case .udp(let settings): settings.dialFrom
        }
    }

    /// The networks and addresses that are bound. Where `0.0.0.0` stands beside `::`, it takes the clients of IPv4.
    private var boundAddresses: [(network: Network, address: ScopedAddress)] {
        if bind.isEmpty { return [(scheme, ScopedAddress(scheme.wildcard))] }
        let hasIPv4Wildcard = bind.contains(.ip(.anyIPv4))
        return bind.compactMap(\.ip).map {
            (hasIPv4Wildcard && $0 == .anyIPv6 ? scheme.withoutIPv4 : scheme, $0)
        }
    }

    /// Whether the route listens on Unix sockets alone. It then needs no ports, and one that it has is the upstream's.
    var hasNoListeningPort: Bool { !bind.isEmpty && bind.allSatisfy { $0.path != nil } }

    /// The listeners of the route: for each port of the file all addresses, both in the order of the file, and the Unix
    /// sockets behind them.
    /// - Throws: ``EndpointError`` where the scheme excludes an address's family, which no file can say.
    public var listeners: [StreamListener] {
        get throws(EndpointError) {
            var listeners: [StreamListener] = []
            listeners.reserveCapacity(listenerCount)
            for mapping in ports {
                for port in mapping.listen {
                    let portShift = mapping.target(of: port) &- upstreamPort
                    for address in try listenAddresses(at: port) {
                        listeners.append(StreamListener(address, portShift: portShift))
                    }
                }
            }
            return listeners + bind.compactMap(\.path).map { StreamListener(ListenAddress($0)) }
        }
    }

    /// The IP addresses on which the route listens at a port.
    func listenAddresses(at port: UInt16) throws(EndpointError) -> [ListenAddress] {
        var addresses: [ListenAddress] = []
        for (network, address) in boundAddresses {
            addresses.append(try ListenAddress(network, address: address, port: port))
        }
        return addresses
    }

    /// The number of ``listeners``.
    public var listenerCount: Int {
        ports.reduce(0) { $0 + $1.listen.count } * boundAddresses.count + bind.count { $0.path != nil }
    }

    /// The port to dial at upstreams that name none, for a client of the first port. Those of other ports dial as far
    /// above it as their target is.
    public var upstreamPort: UInt16 { ports.first?.target.lowerBound ?? 0 }

    /// The ports to dial at upstreams that name none, as their labels have them: `22`, `40000-40099` or `25,465,587`.
    public var targetPorts: String {
        var seen: Set<ClosedRange<UInt16>> = []
        return Self.joined(ports.map(\.target).filter { seen.insert($0).inserted })
    }

    /// The most ranges of ports that a label names.
    private static let maxNamedRanges = 16

    private static func joined(_ ranges: [ClosedRange<UInt16>]) -> String {
        let rest = ranges.count > maxNamedRanges ? ["…"] : []
        return (ranges.prefix(maxNamedRanges).map { PortMapping.text($0) } + rest).joined(separator: ",")
    }

    /// The upstreams of the route, in the order of the configuration.
    /// - Throws: ``EndpointError`` where a host or port cannot be dialed, which no file can say.
    public var targets: [Upstream] {
        get throws(EndpointError) {
            var targets: [Upstream] = []
            for upstream in upstreams {
                targets.append(try target(of: upstream))
            }
            return targets
        }
    }

    /// One of the upstreams, for a client of the first port.
    /// - Throws: see ``targets``.
    public func target(of upstream: UpstreamConfiguration) throws(EndpointError) -> Upstream {
        let port = upstream.port ?? upstreamPort
        guard let agent = upstream.agent else {
            return try Upstream(upstream.host, port: port, isPortFixed: upstream.port != nil)
        }
        guard let address = agentAddresses[agent] else { throw .invalidUpstream(upstream.description) }
        return try Upstream(
            agent: address.host, port: address.port,
            destination: AgentDestination(
                upstream.host, port: port, isPortFixed: upstream.port != nil, agent: agent))
    }

    /// Whether a policy chooses among the upstreams. A single one needs none without checks, a bound or a drain.
    public var hasSet: Bool {
        guard ownAgent == nil else { return false }
        return upstreams.count > 1 || health != nil
            || upstreams.contains {
                $0.maxConnections != nil || $0.isDraining || $0.isTransient || $0.source != nil || $0.hasMembers(names)
            }
    }

    /// Every upstream by its name, or as `host:port` with brackets around IPv6 addresses, in the log.
    public var upstreamTexts: [String] { upstreams.map { $0.text(targetPorts: targetPorts) } }

    /// All of them in one text, for logs.
    public var upstreamText: String { upstreamTexts.joined(separator: ",") }

    /// The host of the only upstream, where that has the target port of the route: `host` in a file.
    public var host: UpstreamHost? {
        get {
            guard upstreams.count == 1 else { return nil }
            var plain = UpstreamConfiguration(upstreams[0].host)
            plain.agent = agent
            return upstreams[0] == plain ? plain.host : nil
        }
        set { if let newValue { upstreams = [UpstreamConfiguration(newValue)] } }
    }

    /// The listeners in words for logs and labels: `tcp4://0.0.0.0:2222`, `tcp://*:2222` for every address, or
    /// `udp://192.0.2.1:30000-30099,udp://[2001:db8::1]:30000-30099`, or `unix:/run/weir/db.sock`.
    public var listenText: String {
        let ports = Self.joined(ports.map(\.listen))
        let addresses = boundAddresses.map { network, address in
            let host = network.isDualStack(at: address.ip) ? "*" : address.bracketed
            return "\(scheme.rawValue)://\(host):\(ports)"
        }
        return (addresses + bind.compactMap(\.path?.description)).joined(separator: ",")
    }
}
