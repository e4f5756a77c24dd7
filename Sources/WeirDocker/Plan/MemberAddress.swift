import NetworkTypes
import WeirConfiguration

/// Finds the address to dial for a container.
struct MemberAddress {
    /// Why there is none.
    struct Missing: Error {
        let message: String
    }

    let snapshot: EngineSnapshot
    let settings: Configuration.Docker
    let containers: [String: Container]

    /// The address of a container for one route, and the port where it is another than the target. `checked` is the
    /// port of health checks, where they have one.
    func find(
        _ container: Container, network: String?, ports: [PortMapping], checked: UInt16? = nil, _ transport: Transport
    ) throws(Missing) -> (host: IPOrName, port: UInt16?) {
        let owner = owner(of: container)
        guard let owner, owner.isAlive else {
            throw Missing(message: "the container whose network it shares does not run")
        }
        // Its ports are the host's, and published nowhere.
        if owner.networkMode == "host" {
            return (try host(ports.map(\.target) + (checked.map { [$0...$0] } ?? [])), nil)
        }
        let isPublished = owner.ports.contains { $0.published != nil }
        if settings.usesPublishedPorts || (owner.networks.isEmpty && isPublished) {
            return try published(owner, ports, transport)
        }
        return (.address(try address(of: owner, network: network)), nil)
    }

    /// Whether an address that was found before is still that of a container which runs.
    func isStill(_ host: IPOrName, _ port: UInt16?, of container: Container) -> Bool {
        guard let owner = owner(of: container), owner.isAlive else { return false }
        if owner.networkMode == "host" { return true }
        if let port { return owner.ports.contains { $0.published == port } }
        guard case .address(let address) = host else { return true }
        return owner.networks.contains { $0.address == address }
    }

    /// Whether a container is dialed at this host itself.
    func isOnThisHost(_ container: Container) -> Bool {
        snapshot.isOnThisHost && owner(of: container)?.networkMode == "host"
    }

    /// The container whose network another one is in: mostly itself. Nil where its engine does not list it.
    private func owner(of container: Container) -> Container? {
        guard container.networkMode.hasPrefix("container:") else { return container }
        let id = String(container.networkMode.dropFirst("container:".count))
        // A container that shares a network with one that shares another's is none that engines make.
        return containers[id] ?? containers.values.first { $0.name == id }
    }

    /// The engine's host, of which labels reach every port but that of the engine itself.
    private func host(_ ports: [ClosedRange<UInt16>]) throws(Missing) -> IPOrName {
        if let api = snapshot.apiPort, ports.contains(where: { $0.contains(api) }) {
            throw Missing(message: "\(api) is the port of its engine")
        }
        return snapshot.host
    }

    private func address(of container: Container, network: String?) throws(Missing) -> IPAddress {
        let networks = container.networks
        let names = networks.prefix(8).map { shown($0.name) }.joined(separator: ", ")
        if let network {
            guard let found = find(network, container) else {
                throw Missing(
                    message: "it has no address in the network \(shown(network)), which its label names"
                        + (names.isEmpty ? "" : "; it has some in \(names)"))
            }
            return found
        }
        if networks.count == 1 { return networks[0].address }
        if networks.isEmpty { throw Missing(message: "it has no address: it is connected to no network") }
        if let network = settings.network, let found = find(network, container) { return found }
        throw Missing(
            message: "it has addresses in the networks \(names): name one of them in `docker.network`, or in its label "
                + "`\(settings.labelPrefix).network`")
    }

    /// The address in a network, whose name compose puts the project in front of.
    private func find(_ network: String, _ container: Container) -> IPAddress? {
        let names = [network] + (container.project.map { ["\($0)_\(network)"] } ?? [])
        return names.lazy.compactMap { name in container.networks.first { $0.name == name }?.address }.first
    }

    private func published(
        _ container: Container, _ ports: [PortMapping], _ transport: Transport
    ) throws(Missing) -> (host: IPOrName, port: UInt16?) {
        guard ports.count == 1, ports[0].target.count == 1 else {
            throw Missing(message: "a published port is dialed for one target port only")
        }
        let target = ports[0].target.lowerBound
        let all = container.ports.filter {
            $0.number == target && $0.transport == transport && $0.published != nil
        }
        // The loopback address of another host would be this one's.
        let found = all.first { $0.address?.isLoopback != true || snapshot.isOnThisHost }
        guard let found, let port = found.published else {
            throw Missing(
                message: "it publishes no port for \(target)/\(transport.rawValue)"
                    + (all.isEmpty ? "" : " but on the loopback address of its engine's host"))
        }
        return (found.address.map { .address($0) } ?? snapshot.host, port)
    }
}

/// The containers of one engine, as they are known.
public struct EngineSnapshot: Sendable {
    /// The name of the engine.
    public let engine: String
    /// The host on which it publishes ports.
    let host: IPOrName
    /// Whether that is the host of this process, as far as its address says.
    var isOnThisHost: Bool {
        switch host {
        case .address(let ip): ip.isLoopback
        case .name(let name): name == "localhost"
        }
    }
    /// The port of its API on that host; nil for a Unix socket.
    let apiPort: UInt16?
    /// Whether names of containers need that of the engine in front, because there are others.
    let isOneOfSeveral: Bool
    /// Its containers.
    public var containers: [Container]

    /// Joins an engine and its containers.
    public init(
        _ endpoint: Configuration.Docker.Endpoint, isOneOfSeveral: Bool = false, containers: [Container]
    ) {
        engine = endpoint.name
        self.isOneOfSeveral = isOneOfSeveral
        switch endpoint.address {
        case .unix: (host, apiPort) = (.address(.loopbackIPv4), nil)
        case .tcp(let host, let port): (self.host, apiPort) = (IPOrName(host), port)
        }
        self.containers = containers
    }

    /// The name of a container in messages and labels, unlike that of any other.
    func title(of container: Container) -> String {
        isOneOfSeveral ? "\(engine)/\(container.name)" : container.name
    }
}
