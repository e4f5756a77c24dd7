import NetworkTypes

/// The readable part of a route. The checks between routes use the parts that are right, so that one mistake in a route
/// does not hide another.
struct RouteDraft {
    let name: String
    /// The origin of the name.
    let origin: Origin
    /// The values that were read, with those of `defaults`; those that are wrong or missing are left out.
    var route: RouteConfiguration
    /// The keys whose values are missing or wrong.
    var faults: Set<String> = []
    /// Every key with its value, those of `defaults` under the route's own.
    var fields = SectionEntries(entries: [:])
    /// Whether the route can be used.
    var isComplete = false

    /// Whether all of these could be read.
    func has(_ keys: String...) -> Bool { faults.isDisjoint(with: keys) }

    /// The origin of a key's value; nil where it is not written.
    func origin(of key: String) -> Origin? { fields[key]?.origin }

    /// The origin of the port to listen on, or else that of the route.
    var portOrigin: Origin { origin(of: "port") ?? origin }

    /// The origins of the values of a key, which is written once or as a list of so many.
    func origins(of key: String, count: Int) -> [Origin] {
        guard let node = fields[key] else { return Array(repeating: origin, count: count) }
        if case .sequence(let items) = node.content, items.count == count { return items.map(\.origin) }
        return Array(repeating: node.origin, count: count)
    }

    /// The origin of each upstream: in `upstreams`, or `host`, or else `port`.
    var targetOrigins: [Origin] {
        guard let node = fields["upstreams"] else { return [origin(of: "host") ?? portOrigin] }
        guard case .sequence(let items) = node.content else { return [node.origin] }
        return items.map(\.origin)
    }
}

/// Reads one route, with the defaults merged under it.
struct RouteReader {
    let context: ReadingContext
    let defaults: SectionEntries
    /// The settings of `entrypoint`, for routes that have none of their own.
    var proxyProtocol = ProxyProtocolSettings()

    private var diagnostics: Diagnostics { context.diagnostics }

    /// Reads a route: two drafts where its scheme is that of both transports.
    func read(_ entry: ConfigurationNode.Entry) -> [RouteDraft] {
        guard let halves = halves(of: entry) else { return [read(entry, half: nil)] }
        return halves.map { read(entry, half: $0) }
    }

    /// The schemes of a route for both transports; nil for any other route.
    private func halves(of entry: ConfigurationNode.Entry) -> [Network]? {
        guard case .mapping(let entries) = entry.value.content,
            let scheme = entries.last(where: { $0.key == "scheme" })?.value ?? defaults["scheme"],
            case .scalar(let text, _) = scheme.content
        else { return nil }
        return schemesOfBoth[text]
    }

    private func read(_ entry: ConfigurationNode.Entry, half: Network?) -> RouteDraft {
        var draft = RouteDraft(
            name: entry.key, origin: entry.keyOrigin,
            route: RouteConfiguration(name: entry.key, scheme: .tcp, listenPort: 0, upstreamPort: 0))
        draft.faults = ["scheme"]
        let isNameGood = checkName(entry)
        let name = "route \(quoted(entry.key))"
        guard let own = diagnostics.section(entry.value, RouteConfiguration.section.keys, named: name) else {
            return draft
        }
        draft.fields = merged(own)
        draft.faults = []
        if let half { draft.route.scheme = half } else { read("scheme", into: &draft, named: name) }
        guard draft.has("scheme") else {
            read("port", into: &draft, named: name)
            check(own)
            return draft
        }
        draft.route.settings = initialSettings(draft.route.transport)
        for setting in RouteConfiguration.settings where setting.key != "scheme" {
            read(setting, into: &draft, named: name)
        }
        if draft.has("bind"), !checkFamily(draft.fields, draft.route.scheme) { draft.faults.insert("bind") }
        if half == nil { refuseForeignFields(own, of: draft.route.scheme, named: name) }
        if draft.has("bind", "port"), !checkListenerCount(draft, named: name) { draft.faults.insert("port") }
        refuseBothForms(own, named: name)
        if draft.has("upstreams", "port"), !checkUpstreams(draft) { draft.faults.insert("upstreams") }
        if draft.has("upstreams", "host", "resolve"), !checkNames(draft, own) { draft.faults.insert("resolve") }
        draft.isComplete = isNameGood && draft.faults.isEmpty
        return draft
    }

    /// Checks fields by themselves, without knowing the transport: for `defaults`, and for a route whose scheme is
    /// wrong.
    func check(_ fields: SectionEntries) {
        var route = RouteConfiguration(name: "", scheme: .tcp, listenPort: 0, upstreamPort: 0)
        for setting in RouteConfiguration.settings {
            guard let value = fields[setting.key] else { continue }
            let isGood = setting.inDefaults?.read(value, &route, context) ?? true
            if setting.key == "scheme", isGood { _ = checkFamily(fields, route.scheme) }
        }
        refuseBothForms(fields, named: "`defaults`")
    }

    /// The route's own fields over the defaults. What says in one form where to dial takes back the other form.
    private func merged(_ own: SectionEntries) -> SectionEntries {
        var entries = defaults.entries
        if own["upstreams"] != nil { entries["host"] = nil }
        if own["host"] != nil { entries["upstreams"] = nil }
        return SectionEntries(entries: entries.merging(own.entries) { $1 })
    }

    private func initialSettings(_ transport: Transport) -> TransportSettings {
        switch transport {
        case .tcp: .tcp(TCPSettings(proxyProtocol: proxyProtocol))
        case .udp: .udp(UDPSettings(proxyProtocol: proxyProtocol))
        }
    }

    private func read(_ key: String, into draft: inout RouteDraft, named name: String) {
        guard let setting = RouteConfiguration.settings.first(where: { $0.key == key }) else { return }
        read(setting, into: &draft, named: name)
    }

    private func read(_ setting: Setting<RouteConfiguration>, into draft: inout RouteDraft, named name: String) {
        // Most settings are left out on most routes.
        let value = draft.fields[setting.key]
        guard value != nil || setting.requirement != nil else { return }
        if value == nil, setting.key == "port", draft.route.hasNoListeningPort {
            draft.route.ports = []
            return
        }
        guard let variant = setting.variant(for: draft.route.transport) else { return }
        if let value {
            if !variant.read(value, &draft.route, context) { draft.faults.insert(setting.key) }
        } else if let requirement = setting.requirement {
            diagnostics.error(draft.origin, "\(name): expected \(requirement), found none")
            draft.faults.insert(setting.key)
        }
    }

    private func checkName(_ entry: ConfigurationNode.Entry) -> Bool {
        let isGood = isRouteName(entry.key)
        if !isGood {
            diagnostics.error(
                entry.keyOrigin,
                "expected a route name of 1 to 64 characters of `A-Z a-z 0-9 _ . -` that starts with a letter or a "
                    + "digit, found \(quoted(entry.key))")
        }
        return isGood
    }

    /// Whether the addresses to bind are of families that the scheme has. One that cannot be read is told elsewhere.
    private func checkFamily(_ fields: SectionEntries, _ scheme: Network) -> Bool {
        guard let value = fields["bind"] else { return true }
        let items = if case .sequence(let items) = value.content { items } else { [value] }
        return items.map { checkFamily($0, scheme) }.allSatisfy(\.self)
    }

    private func checkFamily(_ value: ConfigurationNode, _ scheme: Network) -> Bool {
        guard case .scalar(let text, _) = value.content else { return true }
        if text.hasPrefix(UnixSocketPath.prefix), scheme.transport == .udp {
            diagnostics.error(
                value.origin,
                "`bind`: \(quoted(text)) is a Unix socket, which carries connections, and the scheme is "
                    + "`\(scheme.rawValue)`")
            return false
        }
        guard (try? parseBindAddress(text)) != nil else { return true }
        let address = diagnostics.parsed(value, "bind", expected: "an IP address to listen on") {
            text throws(ValueError) in
            let address = try parseBindAddress(text)
            try scheme.checkFamily(of: address)
            return address
        }
        return address != nil
    }

    /// The most listening addresses of a route: each takes a descriptor at least.
    private static let maxListeners = 65_536

    private func checkListenerCount(_ draft: RouteDraft, named name: String) -> Bool {
        if draft.route.hasNoListeningPort, let origin = draft.origin(of: "port"),
            draft.route.ports.count != 1 || draft.route.ports[0].listen != draft.route.ports[0].target
                || draft.route.ports[0].listen.count != 1
        {
            diagnostics.error(
                origin,
                "\(name): expected one `port`, that of the upstream: the route listens on Unix sockets alone, which have "
                    + "none")
            return false
        }
        let count = draft.route.listenerCount
        if count <= Self.maxListeners { return true }
        diagnostics.error(
            draft.portOrigin,
            "\(name): expected at most \(Self.maxListeners) listening addresses, found \(count): each port of `port` at "
                + "each address of `bind`")
        return false
    }

    private func refuseBothForms(_ fields: SectionEntries, named name: String) {
        guard let host = fields.entries["host"], fields["upstreams"] != nil else { return }
        diagnostics.error(
            host.keyOrigin, "\(name): `host` stands beside `upstreams`, which takes its place: move it into that list")
    }

    /// Checks the upstreams together. False after an error.
    private func checkUpstreams(_ draft: RouteDraft) -> Bool {
        var isGood = true
        var seen: Set<String> = []
        for (upstream, origin) in zip(draft.route.upstreams, draft.targetOrigins) {
            let text = upstream.text(targetPorts: draft.route.targetPorts)
            if draft.route.ports.isEmpty, upstream.port == nil, !upstream.isService, upstream.host.unixPath == nil {
                diagnostics.error(
                    origin,
                    "route \(quoted(draft.name)): the upstream \(quoted("\(upstream.host)")) has no port, and the route "
                        + "has no `port`")
                isGood = false
                continue
            }
            if seen.insert(upstream.host.unixPath == nil ? text.lowercased() : text).inserted { continue }
            // Equal upstreams would be one series.
            diagnostics.error(
                origin, "`upstreams`: \(quoted(text)) is named twice; give one of them a `name` of its own")
            isGood = false
        }
        if draft.route.upstreams.allSatisfy(\.isBackup), let origin = draft.origin(of: "upstreams") {
            diagnostics.error(
                origin,
                "`upstreams`: expected one at least without `backup`, found backups only: they are for the time in which "
                    + "the others are out")
            isGood = false
        }
        return isGood
    }

    /// Checks that the upstreams whose members are looked up are names, and services of the route's transport. False
    /// after an error.
    private func checkNames(_ draft: RouteDraft, _ own: SectionEntries) -> Bool {
        var isGood = true
        let route = draft.route
        for (upstream, origin) in zip(route.upstreams, draft.targetOrigins) where upstream.isService {
            let label = "_\(route.transport.rawValue)"
            guard upstream.host.description.split(separator: ".").dropFirst().first?.lowercased() != label else {
                continue
            }
            diagnostics.error(
                origin,
                "`srv`: \(quoted(upstream.host.description)) is no service of \(route.transport.rawValue.uppercased()), "
                    + "which the scheme `\(route.scheme.rawValue)` carries; expected `\(label)` as its second label")
            isGood = false
        }
        // In `defaults` it is for the routes that have names.
        guard route.names.members == .all, let entry = own.entries["resolve"],
            !route.upstreams.contains(where: { $0.hasMembers(route.names) })
        else { return isGood }
        let hosts = route.upstreams.map(\.host.description).joined(separator: ", ")
        diagnostics.error(
            entry.keyOrigin,
            "`resolve`: expected a host name among the upstreams, found \(quoted(hosts)) only: an address has no other "
                + "members")
        return false
    }

    /// A field of the other transport is a mistake on a route; in `defaults` it is for other routes.
    private func refuseForeignFields(_ own: SectionEntries, of scheme: Network, named name: String) {
        for setting in RouteConfiguration.settings {
            guard let entry = own.entries[setting.key], setting.variant(for: scheme.transport) == nil else { continue }
            let other = setting.transports.map { $0.rawValue.uppercased() }.joined()
            diagnostics.error(
                entry.keyOrigin,
                "\(name): `\(setting.key)` is for \(other) routes, and the scheme is `\(scheme.rawValue)`")
        }
    }
}

extension Network {
    /// Refuses an address that no listener of this scheme can have. A mapped address is IPv4, but IPv6 was written.
    fileprivate func checkFamily(of written: WrittenAddress) throws(ValueError) {
        if !allowsIPv6, written.isIPv6 {
            throw ValueError(
                "scheme `\(rawValue)` listens on IPv4, found the IPv6 address `\(written)`; an address "
                    + "for it, or scheme `\(transport.rawValue)6`, is expected",
                suggestion: written.isMapped ? "\(written.address)" : nil)
        }
        if !allows(written.address.ip) {
            throw ValueError(
                "scheme `\(rawValue)` listens on IPv6, found the IPv4 address `\(written)`; an address "
                    + "for it, or scheme `\(transport.rawValue)4`, is expected")
        }
    }
}
