/// A whole configuration: validated, immutable, with every default filled in.
///
/// Make one with ``load(path:environment:)`` or ``parse(bytes:file:environment:)``, or field by field when Weir is
/// embedded (nothing is validated then).
public struct Configuration: Sendable, Equatable {
    /// The server for `/metrics`, `/healthz` and `/readyz`.
    public var exporter: Exporter
    /// The socket for operators; nil where there is none.
    public var admin: Admin?
    /// The level and form of the log.
    public var log: Log
    /// Event-loop threads: `auto` is one for each core. Fixed for the life of the process.
    public var workers: AutomaticCount
    /// How the process ends.
    public var shutdown: Shutdown
    /// Limits of the whole process.
    public var limits: Limits
    /// The settings for the clients of every route.
    public var entrypoint: Entrypoint
    /// The TLS of all routes that terminate it.
    public var tls = TLSDefaults()
    /// The access rules of all routes.
    public var access: AccessConfiguration
    /// The database for rules about countries and time zones; nil where there is none.
    public var geoip: GeoIP?
    /// The container engines whose labels make routes; nil where there is none.
    public var docker: Docker?
    /// The agents on other machines, in the order of the file. Names are distinct.
    public var agents: [AgentConfiguration] = []
    /// The end of tunnels; nil where there is none. Its route is among ``routes``.
    public var ownAgent: Agent?
    /// The routes, in the order of the file. Names and listeners are distinct.
    public var routes: [RouteConfiguration]

    /// Makes a configuration; what is left out has its documented default.
    public init(
        exporter: Exporter = Exporter(), log: Log = Log(), workers: AutomaticCount = .automatic,
        shutdown: Shutdown = Shutdown(), limits: Limits = Limits(), entrypoint: Entrypoint = Entrypoint(),
        access: AccessConfiguration = AccessConfiguration(), geoip: GeoIP? = nil, routes: [RouteConfiguration] = []
    ) {
        self.exporter = exporter
        self.log = log
        self.workers = workers
        self.shutdown = shutdown
        self.limits = limits
        self.entrypoint = entrypoint
        self.access = access
        self.geoip = geoip
        self.routes = routes
    }

    /// The route of that name.
    public func route(named name: String) -> RouteConfiguration? {
        routes.first { $0.name == name }
    }
}
