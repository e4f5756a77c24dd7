/// The addresses that a listener takes, as far as a file tells.
struct ListenerClaim {
    /// What of one address family is taken.
    enum Coverage: Equatable {
        case nothing
        case everything
        case one(IPLiteral)
    }

    /// As in a message: "route `a`" or "the exporter".
    let owner: String
    let transport: Transport
    let port: UInt16
    let ipv4: Coverage
    let ipv6: Coverage
    /// Where the listener is written; nil for a default.
    let place: SourceLocation?

    /// A route's listener, when enough of the route is right to tell.
    init?(_ draft: RouteDraft) {
        guard draft.has("scheme", "bind", "port") else { return nil }
        self.init(
            owner: "route \(quoted(draft.name))", scheme: draft.route.scheme, bind: draft.route.bind,
            port: draft.route.listenPort, place: draft.portPlace)
    }

    init(owner: String, scheme: Scheme, bind: IPLiteral?, port: UInt16, place: SourceLocation?) {
        self.owner = owner
        self.transport = scheme.transport
        self.port = port
        self.place = place
        let address = bind?.unmapped ?? (scheme.family == .ipv4 ? .anyIPv4 : .anyIPv6)
        switch (address.isIPv6, address.isUnspecified) {
        case (false, true): (ipv4, ipv6) = (.everything, .nothing)
        case (false, false): (ipv4, ipv6) = (.one(address), .nothing)
        // One dual-stack socket, unless the scheme asks for IPv6 only.
        case (true, true): (ipv4, ipv6) = (scheme.family == .any ? .everything : .nothing, .everything)
        case (true, false): (ipv4, ipv6) = (.nothing, .one(address))
        }
    }

    /// Whether both cannot be bound at once.
    func overlaps(_ other: ListenerClaim) -> Bool {
        transport == other.transport && port == other.port
            && (ListenerClaim.meet(ipv4, other.ipv4) || ListenerClaim.meet(ipv6, other.ipv6))
    }

    private static func meet(_ left: Coverage, _ right: Coverage) -> Bool {
        switch (left, right) {
        case (.nothing, _), (_, .nothing): false
        case (.everything, _), (_, .everything): true
        case (.one(let left), .one(let right)): left == right
        }
    }

    /// Whether a dial to that address, known to be of this machine or not, arrives here.
    func takes(_ address: IPLiteral, isLocal: Bool) -> Bool {
        switch address.isIPv6 ? ipv6 : ipv4 {
        case .nothing: false
        case .everything: isLocal
        case .one(let own): own == address
        }
    }

    /// `127.0.0.1:80`, or `*:80` for both families.
    var text: String {
        switch (ipv4, ipv6) {
        case (.everything, .everything): "*:\(port)"
        case (.everything, _): "0.0.0.0:\(port)"
        case (.one(let address), _), (_, .one(let address)): "\(address.bracketed):\(port)"
        default: "[::]:\(port)"
        }
    }
}
