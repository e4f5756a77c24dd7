import NetworkTypes

/// A listener, as far as a file tells, and to which part of the file it belongs.
struct ListenerClaim {
    /// As in a message: "route `a`" or "the exporter".
    let owner: String
    let key: ListenerKey
    /// The origin of the listener; nil for a default.
    let origin: Origin?
    /// The route; nil for the exporter.
    let draft: RouteDraft?

    /// Whether it is the exporter's, and not a route's.
    var isExporter: Bool { draft == nil }

    /// A listener of the exporter.
    init(exporterAt key: ListenerKey, origin: Origin?) {
        owner = "the exporter"
        self.key = key
        self.origin = origin
        draft = nil
    }

    /// A route's listener, when enough of the route is right to tell.
    init?(_ draft: RouteDraft) {
        guard draft.has("scheme", "bind", "port"), let listen = try? draft.route.listenAddress else { return nil }
        owner = "route \(quoted(draft.name))"
        key = ListenerKey(listen)
        origin = draft.portOrigin
        self.draft = draft
    }

    /// `127.0.0.1:80`, or `*:80` for both families.
    var text: String { "\(key.isDualStack ? "*" : key.address.bracketed):\(key.port)" }
}
