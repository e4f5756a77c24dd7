public import NetworkTypes

extension Configuration {
    /// `agent:`, the end of tunnels that other Weirs open, and its own pages on the same port.
    public struct Agent: Sendable, Equatable {
        /// The name, which is also the `route` label of what it carries.
        public var name = ""
        /// The addresses to listen on, all with one port.
        public var listen: [ListenAddress] = [
            ListenAddress(over: .tcp, address: .anyIPv6, port: defaultPort)
        ]
        /// The authority of clients.
        public var authorities = NamedFile("", path: "")
        /// The certificate, leaf first.
        public var certificate = NamedFile("", path: "")
        /// The key of the certificate.
        public var key = NamedFile("", path: "")
        /// The destinations that may be dialed.
        public var allow: [AllowedDestination] = []
        /// The only certificates that clients may have; nil for every one that the authority has signed.
        public var clients: [CertificatePin]?
        /// The times of its connections.
        public var tcp = TCPSettings()
        /// The limits of its clients.
        public var limits = Limits()
        /// The access rules for the addresses of its clients, besides those of the global section; nil without any.
        public var access: RouteAccessConfiguration?

        /// `agent.limits:`.
        public struct Limits: Sendable, Equatable {
            /// Connections at once.
            public var maxConnections: Int?
            /// Connections of one certificate at once.
            public var maxConnectionsPerCertificate: Int?
            /// The limits of one client's address.
            public var traffic = TrafficLimits()

            /// No limits.
            public init() {}
        }

        /// The port of agents.
        public static let defaultPort: UInt16 = 8890

        /// Nothing yet.
        public init() {}
    }
}

/// The SHA-256 of a certificate.
public struct CertificatePin: Sendable, Hashable {
    /// Its 32 bytes.
    public let bytes: [UInt8]

    /// The bytes of a digest.
    public init(_ bytes: [UInt8]) { self.bytes = bytes }
}

extension CertificatePin: CustomStringConvertible {
    /// 64 hexadecimal digits.
    public var description: String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

/// The part of an agent's settings that its route has, and no other.
public struct AgentRoute: Sendable, Equatable {
    /// The destinations that may be dialed, over the transport of the route.
    public let allow: [AllowedDestination]
    /// The destinations that clients may have checked: those of every transport.
    public let checkable: [AllowedDestination]
    /// The only certificates that clients may have; empty for every one that the authority has signed.
    public let clients: [CertificatePin]
    /// Connections of one certificate at once; nil is no limit.
    public let maxConnectionsPerCertificate: Int?
}

extension Configuration.Agent {
    /// The names of the protocols that it speaks, by preference (ALPN); the last is that of its pages.
    private static let protocols = ["weir-agent/1", "godoxy-agent-stream/1", "http/1.1"]
    private static let process = String(UInt64.random(in: 0...UInt64.max), radix: 16)

    /// The Unix sockets of its pages, without files, which are this process's own: that of clients, and that of
    /// scrapers.
    public static let pageSockets: [(name: String, path: UnixSocketPath)] = ["pages", "metrics"].compactMap { name in
        UnixSocketPath("@weir-agent-\(process)-\(name)").map { (name, $0) }
    }

    /// The route of its TCP half: its upstreams are the entries of `allow`, in their order, and behind them its pages.
    /// An entry stands for an address that is known only when a client asks: the socket in its place does not exist.
    public var route: RouteConfiguration {
        let port = listen.first?.port ?? Self.defaultPort
        var route = RouteConfiguration(name: name, scheme: .tcp, listenPort: port, upstreamPort: port)
        route.bind = listen.map { .ip($0.address) }
        let allowed = allow.filter { $0.transport == .tcp }
        let entries = allowed.map { ("\($0)", UnixSocketPath("@weir-agent-\(Self.process)-\($0)")) }
        route.upstreams = (entries + Self.pageSockets.map { ($0.name, $0.path) }).compactMap { name, path in
            guard let path else { return nil }
            var upstream = UpstreamConfiguration(.unix(path))
            upstream.name = name
            return upstream
        }
        var tls = RouteTLS()
        tls.certificates = [CertificateFiles(certificate: certificate, key: key)]
        tls.clientAuthorities = authorities
        tls.protocols = Self.protocols
        route.tls = tls
        var settings = tcp
        settings.maxConnections = limits.maxConnections
        route.settings = .tcp(settings)
        route.limits = limits.traffic
        route.access = access
        route.ownAgent = AgentRoute(
            allow: allowed, checkable: allow, clients: clients ?? [],
            maxConnectionsPerCertificate: limits.maxConnectionsPerCertificate)
        return route
    }
}
