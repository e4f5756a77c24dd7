import NetworkTypes

// The settings of the agent.
extension Configuration.Agent {
    static let section = Section<Self>(
        [
            Setting(
                "name", \.name, .ownAgentName, default: "required", required: "a `name`",
                "The name of the agent, which its metrics have as `route`."),
            Setting(
                "listen", \.listen, .agentListeners, default: "[::]:8890",
                "IP address and port, or a list of them with one port: the only port of an agent."),
            Setting(
                "ca", \.authorities, .authorities, default: "required", required: "a `ca`",
                "A file with the certificate of the authority that signs clients: `ca.pem`, never its key."),
            Setting(
                "certificate", \.certificate, .file("a file such as `server.pem`"), default: "required",
                required: "a `certificate`", "A file with the agent's certificate, for the name `godoxy.agent`."),
            Setting(
                "key", \.key, .file("a file such as `server.key`"), default: "required", required: "a `key`",
                "A file with its private key."),
            Setting(
                "allow", \.allow, .destinations, default: "required",
                required: "an `allow` such as `[\"tcp:127.0.0.1:22\"]`",
                "The destinations that clients may have: transport, address or block, port or range, as in "
                    + "`tcp:[2001:db8::]/32:8000-8100`. The address that is dialed is judged, whatever the name."),
            Setting(
                "clients", \.clients, .optional(.pins), default: "all that `ca` has signed",
                "The SHA-256 of the certificates that clients may have. To take one away revokes it."),
            Setting(
                "dial_timeout", \.tcp.dialTimeout, .duration(), "For a whole dial, unless the client asks for less."),
            Setting(
                "handshake_timeout", \.tcp.handshakeTimeout, .duration(),
                "How long the handshake with a client and its request may take."),
            Setting(
                "idle_timeout", \.tcp.idleTimeout, .durationOrOff,
                "Silence in both directions that ends a tunnel; best longer than that of the client's routes."),
            Setting(
                "half_close_timeout", \.tcp.halfCloseTimeout, .duration(),
                "Silence after one side has finished sending that ends a tunnel."),
            Setting(group: "limits", \.limits, Limits.section, named: "`limits`", "The limits of its clients."),
            Setting(
                "acl", \.access, .routeAccess, default: "none",
                "`default`, `allow` and `deny` for the addresses of clients: of the proxies, and of those behind them."),
        ],
        check: { agent, section in
            guard section.isGood, let certificate = section.entries["certificate"]?.origin,
                let key = section.entries["key"]?.origin
            else { return true }
            return CertificateReader(context: section.context).checkAgent(
                CertificateFiles(certificate: agent.certificate, key: agent.key), at: (certificate, key))
        })
}

extension Configuration.Agent.Limits {
    static let section = Section<Self>([
        Setting(
            "max_connections", \.maxConnections, .optional(.count(RouteConfiguration.counts)),
            "Connections at once."),
        Setting(
            "max_connections_per_certificate", \.maxConnectionsPerCertificate,
            .optional(.count(RouteConfiguration.counts)), "Connections of one certificate at once."),
        Setting(
            "max_connections_per_ip", \.traffic.maxConnectionsPerIP, .countOrOff(1...65_535),
            "Connections of one address at once: of a proxy that opens tunnels."),
        Setting("rate_limit", \.traffic.rateLimit, .rateLimit, "New connections of one address, as on a route."),
        Setting("bandwidth", \.traffic.bandwidth, .bandwidth, "Bytes a second, as on a route."),
    ])
}

extension Notation where Value == String {
    /// The name of an agent, which is that of a route.
    fileprivate static var ownAgentName: Notation {
        Notation(.text("[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"), examples: ["edge-1", "edge-2"], text: { $0 }) {
            node, key, context in
            let expected = "a name of 1 to 64 characters of `A-Z a-z 0-9 _ . -` that starts with a letter or a digit"
            return context.diagnostics.parsed(node, key, expected: expected) { text throws(ValueError) in
                guard isRouteName(text) else { throw ValueError("expected \(expected), found \(quoted(text))") }
                return text
            }
        }
    }
}

/// Whether a text can be the name of a route: 1 to 64 letters, digits, `_`, `.` and `-`, not the signs first.
func isRouteName(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    return (1...64).contains(bytes.count) && isAlphanumeric(bytes[0])
        && bytes.allSatisfy { isAlphanumeric($0) || "_.-".utf8.contains($0) }
}

extension Notation where Value == [ListenAddress] {
    /// Addresses with one port.
    fileprivate static var agentListeners: Notation {
        Notation(
            .anyOf([.anyText, .list(of: .anyText, 1...16)]), examples: ["127.0.0.1:8890", "\"[::1]:8891\""],
            text: { listen in
                let texts = listen.map { flowText($0.addressText) }
                return texts.count == 1 ? texts[0] : "[\(texts.joined(separator: ", "))]"
            }
        ) { node, key, context in
            guard let items = context.diagnostics.oneOrMore(node, key, atMost: 16, "addresses") else { return nil }
            let expected = "an IP address and a port such as `[::]:8890`"
            let found = items.map { item in
                context.diagnostics.parsed(item, key, expected: expected) { text throws(ValueError) in
                    try ListenAddress(listening: text, example: "`0.0.0.0:8890` or `[::]:8890`")
                }
            }
            let listen = found.compactMap(\.self)
            guard listen.count == found.count else { return nil }
            guard Set(listen.map(\.port)).count == 1 else {
                context.diagnostics.error(node.origin, "`\(key)`: expected one port for all addresses, found several")
                return nil
            }
            return listen
        }
    }
}

extension Notation where Value == [AllowedDestination] {
    /// Destinations that clients may have.
    fileprivate static var destinations: Notation {
        Notation(
            .anyOf([.anyText, .list(of: .anyText, 1...1_000)]),
            examples: ["[\"tcp:127.0.0.1:22\"]", "[\"tcp:10.0.0.0/8:5432\", \"udp:10.0.0.53:53\"]"],
            text: { "[\($0.map { flowText("\($0)") }.joined(separator: ", "))]" }
        ) { node, key, context in
            guard let items = context.diagnostics.oneOrMore(node, key, atMost: 1_000, "destinations") else {
                return nil
            }
            var seen: Set<AllowedDestination> = []
            let found = items.map { item -> AllowedDestination? in
                let entry = context.diagnostics.parsed(item, key, expected: "a destination such as `tcp:127.0.0.1:22`")
                {
                    text throws(ValueError) in try AllowedDestination(configured: text)
                }
                guard let entry else { return nil }
                if entry.block.isEverything {
                    context.diagnostics.warning(
                        item.origin,
                        "`\(key)`: `\(entry)` is every address that this machine reaches, its own services included")
                }
                if seen.insert(entry).inserted { return entry }
                context.diagnostics.error(item.origin, "`\(key)`: `\(entry)` is named twice")
                return nil
            }
            return found.contains(nil) ? nil : found.compactMap(\.self)
        }
    }
}

extension Notation where Value == [CertificatePin] {
    /// Fingerprints of certificates.
    fileprivate static var pins: Notation {
        let (pin, other) = (String(repeating: "ab", count: 32), String(repeating: "cd", count: 32))
        return Notation(
            .anyOf([.anyText, .list(of: .anyText, 1...1_000)]), examples: ["[\(pin)]", "[\(other)]"],
            text: { "[\($0.map(\.description).joined(separator: ", "))]" }
        ) { node, key, context in
            if case .null = node.content {
                context.diagnostics.error(
                    node.origin, "`\(key)`: expected at least one, found nothing: leave `\(key)` out to take all")
                return nil
            }
            guard let items = context.diagnostics.oneOrMore(node, key, atMost: 1_000, "fingerprints") else {
                return nil
            }
            let found = items.map { item in
                context.diagnostics.parsed(item, key, expected: "the SHA-256 of a certificate") {
                    text throws(ValueError) in try CertificatePin(configured: text)
                }
            }
            return found.contains(nil) ? nil : found.compactMap(\.self)
        }
    }
}
