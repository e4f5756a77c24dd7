public import NetworkTypes
public import WeirConfiguration

/// A container as an upstream of a route.
struct PlannedMember: Sendable, Equatable {
    let key: ContainerKey
    /// The name of the container.
    let container: String
    /// The address to dial.
    let host: IPOrName
    /// The port to dial where it is not the target port of the route.
    var port: UInt16?
    var weight: ConfigurationNode?
    var backup: ConfigurationNode?
    /// Whether it gets no new clients.
    var isDraining = false
    /// Whether its processes are gone: it stands for the route that outlives it.
    var isGone = false

    static func == (left: PlannedMember, right: PlannedMember) -> Bool {
        left.key == right.key && left.host == right.host && left.port == right.port
            && left.isDraining == right.isDraining && left.isGone == right.isGone
    }
}

/// A host as an engine or its endpoint names it.
enum IPOrName: Hashable, Sendable {
    case address(IPAddress)
    case name(String)

    /// An address where the text is one.
    init(_ text: String) { self = IPAddress(text).map { .address($0) } ?? .name(text) }

    var upstream: UpstreamHost {
        switch self {
        case .address(let ip): .address(ScopedAddress(ip))
        case .name(let name): .name(name)
        }
    }
}

/// A route that labels ask for.
struct PlannedRoute: Sendable {
    let name: String
    /// The fields of labels, without those of single upstreams.
    let fields: [ConfigurationNode.Entry]
    /// The label that claims the name.
    let origin: Origin
    let ports: [PortMapping]
    /// Whether it takes clients by the names in their hellos.
    let hasNames: Bool
    let isTCP: Bool
    /// The parts that replicas have in common: project, service and fields; nil for a container of its own.
    let replicaKey: String?
    var members: [PlannedMember] = []
    /// When its last container was gone; nil while it has one.
    var goneSince: UInt64?

    /// On how many ports it listens.
    var portCount: Int { ports.reduce(0) { $0 + $1.listen.count } }

    /// The ports to dial, as labels of metrics have them.
    var targetPorts: String { ports.map { PortMapping.text($0.target) }.joined(separator: ",") }
}

/// The routes of all containers, and why each of these is, or is not, a part of one.
public struct ContainerPlan: Sendable {
    /// An upstream that is no more: nothing may be sent there.
    public struct Gone: Sendable, Hashable {
        /// The route.
        public let route: String
        /// The address.
        public let host: UpstreamHost
        /// The ports that were dialed.
        public let ports: [ClosedRange<UInt16>]
    }

    /// The routes as a source supplies them; nil where there is none.
    public let root: ConfigurationNode?
    /// A verdict for each container, by engine and name.
    public let verdicts: [ContainerVerdict]
    /// The upstreams that were in force and are gone.
    public let gone: [Gone]
    /// When a route that outlives its containers ends; nil where there is none.
    public let nextEnd: UInt64?
    let routes: [PlannedRoute]
    let bind: [BindAddress]

    /// A route by itself.
    public struct Part: Sendable {
        /// The name of the route.
        public let name: String
        /// The containers that ask for it, as messages name them.
        public let containers: [String]
        /// The route as a source supplies it.
        public let root: ConfigurationNode
    }

    /// Every route by itself.
    public var parts: [Part] {
        routes.compactMap { route in
            FragmentTree.root(of: [route], bind: bind).map {
                Part(name: route.name, containers: route.members.map(\.container), root: $0)
            }
        }
    }

    /// The names of all routes.
    public var routeNames: [String] { routes.map(\.name) }

    /// Whether labels made this route.
    public func has(_ route: String) -> Bool { routes.contains { $0.name == route } }
    /// The number of routes.
    public var routeCount: Int { routes.count }
}
