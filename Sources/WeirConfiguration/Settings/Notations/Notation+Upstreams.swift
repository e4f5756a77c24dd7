import NetworkTypes

// The upstreams of a route.

extension UpstreamConfiguration {
    /// An upstream as a mapping.
    static let section = Section<UpstreamConfiguration>([
        Setting(
            "host", \.host, .memberHost, default: "required", required: "a `host`", "A name or an IP address."),
        Setting("port", \.port, .targetPort, default: "the target port of `port`", "The port to dial."),
    ])
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

extension Notation where Value == UInt16? {
    /// A port to dial.
    fileprivate static var targetPort: Notation {
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
        let one = JSONValue.anyOf([.anyText, mapping])
        return Notation(
            .anyOf([.anyText, mapping, .list(of: one, 1...maxUpstreams)]),
            examples: ["[192.0.2.1, \"[2001:db8::1]:5432\"]", "[192.0.2.1, { host: 192.0.2.2, port: 6432 }]"],
            text: { upstreams in "[\(upstreams.map { flowText($0.description) }.joined(separator: ", "))]" }
        ) { node, key, context in
            guard case .sequence(let items) = node.content else { return readOne(node, key, context).map { [$0] } }
            guard (1...maxUpstreams).contains(items.count) else {
                context.diagnostics.error(
                    node.origin, "`\(key)`: expected 1 to \(maxUpstreams) upstreams, found \(items.count)")
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
            var upstream = UpstreamConfiguration(.name(""))
            let isGood = UpstreamConfiguration.section.read(
                node, named: "`\(key)`", into: &upstream, context)
            return isGood ? upstream : nil
        }
        return context.diagnostics.parsed(
            node, key, expected: "an upstream such as `db-1`, `db-1:5432` or `{ host: db-1, port: 5432 }`"
        ) { text throws(ValueError) in try UpstreamConfiguration(parsing: text) }
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
