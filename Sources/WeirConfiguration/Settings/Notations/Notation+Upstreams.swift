import NetworkTypes

// The upstreams of a route.

extension UpstreamConfiguration {
    /// An upstream as a mapping.
    static let section = Section<UpstreamConfiguration>([
        Setting(
            "host", \.host, .memberHost, default: "required", required: "a `host`",
            "A name, an IP address, or a Unix socket such as `unix:/run/db.sock`."),
        Setting("port", \.port, .portNumber, default: "the target port of `port`", "The port to dial."),
        Setting(
            "name", \.name, .upstreamName, default: "`host:port`",
            "The `upstream` label in metrics and logs; tells two upstreams of one host and port apart."),
        Setting(
            "weight", \.weight, .weight,
            "Its share of clients beside that of the others: 2 gets twice as many as 1."),
        Setting(
            "backup", \.isBackup, .flag, "Whether it gets clients only while none of the others can take them."),
        Setting(
            "max_connections", \.maxConnections, .optional(.count(RouteConfiguration.counts)), default: "no limit",
            "Connections or sessions at once; clients beyond them go to the others."),
        Setting(
            "drain", \.isDraining, .flag, "Whether it gets no new clients. Those that it has stay."),
        Setting(
            "agent", \.agent, .upstreamAgent, default: "that of the route",
            "The agent that dials it, one of `agents`; `off` dials it from here. TCP only."),
    ])
}

extension UpstreamConfiguration {
    /// A service as a mapping: its records name hosts, ports, shares and precedence.
    static let serviceSection = Section<UpstreamConfiguration>([
        Setting(
            "srv", \.host, .service, default: "required", required: "an `srv`",
            "The service whose SRV records name the upstreams; those of a later priority are backups."),
        Setting("name", \.name, .upstreamName, default: "the name of the service", "The `upstream` label."),
        Setting(
            "max_connections", \.maxConnections, .optional(.count(RouteConfiguration.counts)), default: "no limit",
            "Connections or sessions at once at each member."),
        Setting("drain", \.isDraining, .flag, "Whether its members get no new clients. Those that they have stay."),
    ])

    /// The keys that only a host has.
    fileprivate static let hostKeys = ["host", "port", "weight", "backup", "agent"]
}

extension UpstreamConfiguration {
    /// As it is written: a text, or a mapping of what differs from the defaults.
    fileprivate var writtenText: String {
        guard isDetailed else { return flowText(description) }
        let plain = UpstreamConfiguration(.name(""))
        let section = isService ? Self.serviceSection : Self.section
        let parts = section.settings.compactMap { setting -> String? in
            guard let variant = setting.variants.first, !variant.isEqual(self, plain) else { return nil }
            return variant.text(self).map { "\(setting.key): \($0)" }
        }
        return "{ \(parts.joined(separator: ", ")) }"
    }
}

extension Notation where Value == UpstreamHost {
    /// The host of an upstream that is a mapping: its port has a key of its own.
    fileprivate static var memberHost: Notation {
        Notation(.anyText, examples: ["db-1", "db-2"], text: { flowText($0.description) }) { node, key, context in
            context.diagnostics.parsed(node, key, expected: "a host name or an IP address") { text throws(ValueError) in
                let upstream = try UpstreamConfiguration(parsing: text)
                guard let port = upstream.port else { return upstream.host }
                throw ValueError(
                    "found a port in \(quoted(text)), expected it in `port`",
                    suggestion: "{ host: \(flowText(upstream.host.description)), port: \(port) }")
            }
        }
    }
}

extension Notation where Value == UpstreamHost {
    /// The name of a service, as RFC 2782 writes it.
    fileprivate static var service: Notation {
        Notation(
            .anyText, examples: ["_ldap._tcp.example.net", "_radius._udp.example.net"],
            text: { flowText($0.description) }
        ) { node, key, context in
            let expected = "the name of a service such as `_ldap._tcp.example.net`"
            return context.diagnostics.parsed(node, key, expected: expected) { text throws(ValueError) in
                if let bare = text.beforePort {
                    throw ValueError(
                        "found a port in \(quoted(text)): the records of a service name the ports", suggestion: bare)
                }
                guard case .name(let name) = try UpstreamHost(configured: text), name.isServiceName else {
                    throw ValueError("expected \(expected), found \(quoted(text))")
                }
                return .name(name)
            }
        }
    }
}

extension String {
    /// The text before a port; nil where there is none.
    fileprivate var beforePort: String? {
        let parts = split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty, parts[1].utf8.allSatisfy(isDigit) else {
            return nil
        }
        return String(parts[0])
    }

    /// Whether it begins with the labels of a service and a transport.
    fileprivate var isServiceName: Bool {
        let labels = split(separator: ".")
        return labels.count > 2 && labels[0].count > 1 && labels[0].hasPrefix("_")
            && ["_tcp", "_udp"].contains(labels[1].lowercased())
    }
}

extension Notation where Value == Int {
    /// A share of clients. An upstream without any is one that drains.
    fileprivate static var weight: Notation {
        let bounds = 1...256
        let count = Notation.count(bounds, examples: ["2", "3"])
        return Notation(count.schema, examples: count.examples, text: count.text) { node, key, context in
            guard case .scalar("0", _) = node.content else { return count.read(node, key, context) }
            context.diagnostics.error(
                node.origin,
                "`\(key)`: expected a number from \(bounds.lowerBound) to \(bounds.upperBound), found 0: an upstream "
                    + "that gets no new clients drains", suggestion: "drain: true")
            return nil
        }
    }
}

extension Notation where Value == String? {
    private static var maxNameLength: Int { 128 }

    /// The label of an upstream.
    fileprivate static var upstreamName: Notation {
        Notation(.anyText, examples: ["db-primary", "db-replica"], text: { $0.map(flowText) }) { node, key, context in
            let expected = "a name of 1 to \(maxNameLength) printable characters without blanks at its ends"
            let name = context.diagnostics.parsed(node, key, expected: expected) { text throws(ValueError) in
                let scalars = text.unicodeScalars
                let isPrintable = scalars.allSatisfy { $0.value >= 0x20 && !(0x7F..<0xA0).contains($0.value) }
                guard isPrintable, (1...maxNameLength).contains(text.utf8.count), text.first != " ", text.last != " "
                else { throw ValueError("expected \(expected), found \(quoted(text))") }
                return text
            }
            return name.map { .some($0) }
        }
    }
}

extension Notation where Value == UInt16? {
    /// A port to dial.
    static var portNumber: Notation {
        Notation(.number(in: 1...65_535), examples: ["5432", "5433"], text: { $0.map { "\($0)" } }) {
            node, key, context in
            let port = context.diagnostics.parsed(node, key, expected: "a port from 1 to 65535") {
                text throws(ValueError) in try parsePort(Array(text.utf8)[...])
            }
            return port.map { .some($0) }
        }
    }
}

extension Notation where Value == [UpstreamConfiguration] {
    private static var maxUpstreams: Int { 1000 }

    /// One upstream or a list of them, each a text or a mapping.
    static var upstreams: Notation {
        let mapping = UpstreamConfiguration.section.schema
        let service = UpstreamConfiguration.serviceSection.schema
        let one = JSONValue.anyOf([.anyText, mapping, service])
        return Notation(
            .anyOf([.anyText, mapping, service, .list(of: one, 1...maxUpstreams)]),
            examples: [
                "[192.0.2.1, \"[2001:db8::1]:5432\"]",
                "[192.0.2.1, { host: 192.0.2.2, port: 6432, weight: 2, backup: true }]",
                "[{ srv: _ldap._tcp.example.net }]",
            ],
            text: { upstreams in "[\(upstreams.map(\.writtenText).joined(separator: ", "))]" }
        ) { node, key, context in
            guard let items = context.diagnostics.oneOrMore(node, key, atMost: maxUpstreams, "upstreams") else {
                return nil
            }
            let upstreams = items.map { readOne($0, key, context) }
            return upstreams.contains(nil) ? nil : upstreams.compactMap { $0 }
        }
    }

    private static func readOne(_ node: ConfigurationNode, _ key: String, _ context: ReadingContext)
        -> UpstreamConfiguration?
    {
        if case .mapping(let entries) = node.content {
            if let suggestion = meantAsText(entries) {
                context.diagnostics.error(
                    node.origin, "`\(key)`: expected an upstream, found a mapping: there is no blank before a port",
                    suggestion: suggestion)
                return nil
            }
            if entries.contains(where: { $0.key == "srv" }) { return readService(node, entries, key, context) }
            var upstream = UpstreamConfiguration(.name(""))
            let isGood = UpstreamConfiguration.section.read(
                node, named: "`\(key)`", into: &upstream, context)
            return isGood ? upstream : nil
        }
        return context.diagnostics.parsed(
            node, key, expected: "an upstream such as `db-1`, `db-1:5432` or `{ host: db-1, port: 5432 }`"
        ) { text throws(ValueError) in try UpstreamConfiguration(parsing: text) }
    }

    private static func readService(
        _ node: ConfigurationNode, _ entries: [ConfigurationNode.Entry], _ key: String, _ context: ReadingContext
    ) -> UpstreamConfiguration? {
        let foreign = entries.filter { UpstreamConfiguration.hostKeys.contains($0.key) }
        for entry in foreign {
            context.diagnostics.error(
                entry.keyOrigin,
                "`\(key)`: `\(entry.key)` stands beside `srv`: the records of a service name its hosts, ports, shares "
                    + "and backups, which are dialed from here")
        }
        guard foreign.isEmpty else { return nil }
        var upstream = UpstreamConfiguration(.name(""))
        upstream.isService = true
        let isGood = UpstreamConfiguration.serviceSection.read(node, named: "`\(key)`", into: &upstream, context)
        return isGood ? upstream : nil
    }

    /// `- db-1: 5432` is a mapping to YAML.
    private static func meantAsText(_ entries: [ConfigurationNode.Entry]) -> String? {
        guard entries.count == 1, case .scalar(let port, _) = entries[0].value.content,
            !UpstreamConfiguration.section.keys.supported.contains(entries[0].key)
        else { return nil }
        let upstream = try? UpstreamConfiguration(parsing: "\(entries[0].key):\(port)")
        return upstream.flatMap { $0.port == nil ? nil : $0.description }
    }
}
