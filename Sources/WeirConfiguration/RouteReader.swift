/// What could be read of a route. The checks between routes use the parts that are right, so that one mistake in a
/// route does not hide another.
struct RouteDraft {
    let name: String
    let place: SourceLocation
    var scheme: Scheme?
    /// The inner nil is "not set"; the outer one an error.
    var bind: IPLiteral??
    var host: UpstreamHost?
    var ports: PortPair?
    /// The `acl` section, where there is one.
    var access: AccessReader.RouteSection?
    /// Where `host`, or else `port`, is written.
    var targetPlace: SourceLocation
    /// Where `port` is written.
    var portPlace: SourceLocation
    /// The whole route, when every part of it is right.
    var route: RouteConfiguration?
}

/// Reads one route, with the defaults merged under it.
struct RouteReader {
    /// What a number of connections, sessions or replies may be.
    static let counts = 1...10_000_000

    let findings: Findings
    let access: AccessReader
    let defaults: SectionEntries
    /// Of `entrypoint`, for routes that have none of their own.
    var proxyProtocol = ProxyProtocolSettings()

    func read(_ entry: YAMLValue.Entry) -> RouteDraft {
        var draft = RouteDraft(
            name: entry.key, place: entry.keyPlace, targetPlace: entry.keyPlace, portPlace: entry.keyPlace)
        let isNameGood = checkName(entry)
        let name = "route \(quoted(entry.key))"
        guard let own = findings.section(entry.value, .route, named: name) else { return draft }
        let merged = SectionEntries(entries: defaults.entries.merging(own.entries) { $1 })
        readListener(merged, named: name, into: &draft)

        guard let scheme = draft.scheme else {
            check(own)
            return draft
        }
        refuseForeignFields(own, of: scheme, named: name)
        if let value = merged["acl"] { draft.access = access.readRoute(value) }
        let settings: TransportSettings? =
            switch scheme.transport {
            case .tcp: readTCP(merged).map { .tcp($0) }
            case .udp: readUDP(merged).map { .udp($0) }
            }
        let limits = LimitReader(findings: findings).read(merged)
        let preDial = readPreDial(merged)
        guard isNameGood, let settings, let limits, let preDial, let bind = draft.bind, let host = draft.host,
            let ports = draft.ports
        else {
            return draft
        }
        draft.route = RouteConfiguration(
            name: entry.key, scheme: scheme, bind: bind, host: host, listenPort: ports.listen,
            upstreamPort: ports.upstream, settings: settings, access: draft.access?.access, limits: limits,
            preDial: preDial, location: entry.keyPlace)
        return draft
    }

    /// Checks fields by themselves, without knowing the transport: for `defaults`, and for a route whose scheme is
    /// wrong.
    func check(_ fields: SectionEntries) {
        var draft = RouteDraft(
            name: "", place: SourceLocation(line: 1, column: 1), targetPlace: SourceLocation(line: 1, column: 1),
            portPlace: SourceLocation(line: 1, column: 1))
        if let value = fields["scheme"] { draft.scheme = readScheme(value) }
        if let value = fields["bind"] { draft.bind = readBind(value, scheme: draft.scheme) }
        if let value = fields["host"] { draft.host = readHost(value) }
        if let value = fields["port"] { draft.ports = readPort(value) }
        if let value = fields["acl"] { _ = access.readRoute(value) }
        _ = LimitReader(findings: findings).read(fields)
        _ = readPreDial(fields)
        // What each transport reads in its own way.
        let relayKey = "relay_proxy_protocol_header"
        if let value = fields[relayKey] { findings.checkRelayedHeader(value, relayKey) }
        let forTCP = fields.entries.filter { $0.key != relayKey }
        _ = readTCP(SectionEntries(entries: forTCP))
        _ = readUDP(SectionEntries(entries: forTCP.filter { $0.key != "idle_timeout" }))
    }

    private func checkName(_ entry: YAMLValue.Entry) -> Bool {
        let bytes = Array(entry.key.utf8)
        let isGood =
            (1...64).contains(bytes.count) && isAlphanumeric(bytes[0])
            && bytes.allSatisfy { isAlphanumeric($0) || "_.-".utf8.contains($0) }
        if !isGood {
            findings.error(
                entry.keyPlace,
                "expected a route name of 1 to 64 characters of `A-Z a-z 0-9 _ . -` that starts with a letter or a "
                    + "digit, found \(quoted(entry.key))")
        }
        return isGood
    }

    private func readListener(_ fields: SectionEntries, named name: String, into draft: inout RouteDraft) {
        if let value = fields["scheme"] {
            draft.scheme = readScheme(value)
        } else {
            findings.error(draft.place, "\(name): expected a `scheme` such as `tcp` or `udp`, found none")
        }
        draft.bind = fields["bind"].map { readBind($0, scheme: draft.scheme) } ?? .some(nil)
        draft.host = fields["host"].map { readHost($0) } ?? .name("localhost")
        if let value = fields["port"] {
            draft.ports = readPort(value)
            draft.portPlace = value.place
            draft.targetPlace = value.place
        } else {
            findings.error(draft.place, "\(name): expected a `port` such as `2222:22`, found none")
        }
        if let value = fields["host"] { draft.targetPlace = value.place }
    }

    /// A field of the other transport is a mistake on a route; in `defaults` it is for other routes.
    private func refuseForeignFields(_ own: SectionEntries, of scheme: Scheme, named name: String) {
        for field in ConfigurationField.fields(of: .route) where !field.transports.contains(scheme.transport) {
            guard let entry = own.entries[field.key] else { continue }
            let other = field.transports.map { $0.rawValue.uppercased() }.joined()
            findings.error(
                entry.keyPlace,
                "\(name): `\(field.key)` is for \(other) routes, and the scheme is `\(scheme.rawValue)`")
        }
    }
}
