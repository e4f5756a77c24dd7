public import NetworkTypes

/// A container as its engine describes it.
public struct Container: Sendable, Equatable {
    /// The phases that an engine tells apart.
    public enum State: String, Sendable, Equatable {
        /// It was not started yet.
        case created
        /// Its first process runs.
        case running
        /// Its processes are frozen.
        case paused
        /// Its first process has ended and will be started again.
        case restarting
        /// It is being removed.
        case removing
        /// Its first process has ended.
        case exited
        /// Removing it has failed.
        case dead
        /// Any other word of an engine.
        case unknown
    }

    /// The result of the image's health check.
    public enum Health: String, Sendable, Equatable {
        /// It has no check.
        case none
        /// No check has ended well yet.
        case starting
        /// The last check ended well.
        case healthy
        /// The last checks failed.
        case unhealthy
    }

    /// A port of a container, and where the engine publishes it.
    public struct Port: Sendable, Hashable {
        /// The port within the container.
        public var number: UInt16
        /// The transport.
        public var transport: Transport
        /// The host's port; nil where it is not published.
        public var published: UInt16?
        /// The host's address of that; nil for every one.
        public var address: IPAddress?
    }

    /// A network that it is connected to.
    public struct Network: Sendable, Hashable {
        /// The name, as the engine has it.
        public var name: String
        /// The container's address in it: IPv4 where it has one.
        public var address: IPAddress
    }

    /// The identifier, 64 hexadecimal digits.
    public var id: String
    /// The name, without the slash that the API has in front.
    public var name: String
    /// All labels.
    public var labels: [String: String]
    /// The phase of its life.
    public var state: State
    /// The result of the image's health check.
    public var health = Health.none
    /// The networks in which it has an address, by name.
    public var networks: [Network] = []
    /// Its ports, published ones and others that its image exposes.
    public var ports: [Port] = []
    /// `host`, `container:ID`, or the name of a network.
    public var networkMode = ""
    /// When it was created, in seconds since 1970.
    public var created = 0
    /// Whether it was told to stop, and so gets no new clients while it ends.
    public var isStopping = false
    /// Whether it has just left its last network: one that ends does so before its engine tells of the end.
    var hasLeftNetworks = false
    /// Whether its mode of networking, its health and the ports that it exposes are not known: Podman's list is without
    /// them, and an inspection tells.
    var isAbridged = false

    /// Joins what every container has.
    public init(id: String, name: String, labels: [String: String] = [:], state: State = .running) {
        self.id = id
        self.name = name
        self.labels = labels
        self.state = state
    }

    /// Whether it can serve: its processes run, also where they were told to end.
    var isAlive: Bool { state == .running || state == .paused }

    /// The compose project, where it belongs to one.
    var project: String? { labels["com.docker.compose.project"].flatMap { $0.isEmpty ? nil : $0 } }

    /// The service of that project.
    var service: String? { labels["com.docker.compose.service"].flatMap { $0.isEmpty ? nil : $0 } }

    /// Whether its name is one that compose gives to a replica of its service, such as `shop-web-2`. An image can claim
    /// a project and a service by labels, and no name.
    var isNamedAsReplica: Bool {
        guard let project, let service else { return false }
        var rest = name[...]
        // While it is replaced by a new one: `0123456789ab_shop-web-2`.
        if let end = rest.firstIndex(of: "_"), rest[..<end].utf8.count == 12,
            rest[..<end].utf8.allSatisfy({ Self.hexadecimal.contains($0) })
        {
            rest = rest[rest.index(after: end)...]
        }
        for part in [project, service] {
            guard rest.hasPrefix(part) else { return false }
            rest = rest.dropFirst(part.count)
            guard rest.first == "-" || rest.first == "_" else { return false }
            rest = rest.dropFirst()
        }
        return rest.utf8.first.map { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ?? false
    }

    private static let hexadecimal = Array("0123456789abcdef".utf8)

    /// Whether it is a single run of a service (`docker compose run`), which carries the service's labels.
    var isSingleRun: Bool { labels["com.docker.compose.oneoff"]?.lowercased() == "true" }
}
