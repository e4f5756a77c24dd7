import NetworkTypes

/// The listeners at one address with consecutive ports, as far as a file tells, and to which part of the file they
/// belong.
struct ListenerClaim {
    /// As in a message: "route `a`" or "the exporter".
    let owner: String
    /// The listener of the first port.
    let key: ListenerKey
    let ports: ClosedRange<UInt16>
    /// The origin of the listeners; nil for a default.
    let origin: Origin?
    /// The route; nil for the exporter.
    let draft: RouteDraft?

    /// Whether it is the exporter's, and not a route's.
    var isExporter: Bool { draft == nil }

    /// A listener of the exporter.
    init(exporterAt key: ListenerKey, origin: Origin?) {
        owner = "the exporter"
        self.key = key
        ports = key.port...key.port
        self.origin = origin
        draft = nil
    }

    private init(_ draft: RouteDraft, _ key: ListenerKey, _ ports: ClosedRange<UInt16>, _ origin: Origin?) {
        owner = "\(draft.route.ownAgent == nil ? "route" : "agent") \(quoted(draft.name))"
        self.key = key
        self.ports = ports
        self.origin = origin
        self.draft = draft
    }

    /// A route's listeners, when enough of the route is right to tell.
    static func claims(of draft: RouteDraft) -> [ListenerClaim] {
        guard draft.has("scheme", "bind", "port") else { return [] }
        let origins = draft.origins(of: "port", count: draft.route.ports.count)
        let sockets = zip(draft.route.bind, draft.origins(of: "bind", count: draft.route.bind.count))
        let paths = sockets.compactMap { bind, origin in
            bind.path.map { ListenerClaim(draft, ListenerKey(ListenAddress($0)), 0...0, origin) }
        }
        return paths
            + zip(draft.route.ports, origins).flatMap { mapping, origin in
                let addresses = (try? draft.route.listenAddresses(at: mapping.listen.lowerBound)) ?? []
                return addresses.map { ListenerClaim(draft, ListenerKey($0), mapping.listen, origin) }
            }
    }

    /// Whether both have a port, or a path, at which they cannot be bound at once.
    func overlaps(_ other: ListenerClaim) -> Bool {
        ports.overlaps(other.ports) && key.withoutPort.overlaps(other.key.withoutPort)
    }

    /// `127.0.0.1:80`, `*:30000-30099` for both families, or `unix:/run/weir/db.sock`.
    var text: String { text(of: ports) }

    /// The text of some of the ports.
    func text(of ports: ClosedRange<UInt16>) -> String {
        key.path?.description
            ?? "\(key.isDualStack ? "*" : key.address.bracketed):\(PortMapping.text(ports))"
    }
}

extension ListenerKey {
    /// The listener at port 0 of the same address; itself for a Unix socket.
    var withoutPort: ListenerKey {
        path == nil ? ListenerKey(transport, address: address, port: 0, isDualStack: isDualStack) : self
    }
}
