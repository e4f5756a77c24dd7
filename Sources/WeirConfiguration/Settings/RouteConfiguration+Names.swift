import NetworkTypes

// The settings of routes that share a listener.
extension RouteConfiguration {
    static let nameSettings: [Setting<RouteConfiguration>] = [
        Setting(
            "sni", \.claims.serverNames, .serverNames.takingOff(as: []), for: .tcp, default: "any name", page: .names,
            "The server names of TLS hellos whose clients the route takes, where several share its port: "
                + "`git.example.net`, or `*.example.net` for all below it."),
        Setting(
            "alpn", \.claims.protocols, .protocols.takingOff(as: []), for: .tcp, default: "any protocol", page: .names,
            "The protocols that such hellos offer (ALPN), one of which the route wants: `h2`, `imap`."),
        Setting(
            "starttls", \.claims.startTLS, .startTLS, for: .tcp, default: "none", page: .names,
            "The protocol that begins in clear before the hello: `postgres`."),
        Setting(
            "hello_timeout", \.claims.helloTimeout, .duration(), for: .tcp, page: .names,
            "How long the hello that chooses a route may take."),
    ]
}

extension Notation where Value == StartTLS? {
    fileprivate static var startTLS: Notation {
        let choice = optional(.choice)
        return Notation(choice.schema, examples: ["postgres", "off"], text: choice.text, read: choice.read)
    }
}

extension Notation where Value == [String] {
    private static var maxNames: Int { 1_000 }
    private static var maxProtocols: Int { 16 }

    /// One server name or a list of them.
    fileprivate static var serverNames: Notation {
        list(
            of: "a name such as `git.example.net` or `*.example.net`", atMost: maxNames,
            examples: ["[git.example.net, \"*.example.net\"]", "git.example.net"]
        ) { text throws(ValueError) in
            if IPAddress(text) != nil {
                throw ValueError("found the address \(quoted(text)): a hello names hosts, never addresses (RFC 6066)")
            }
            if text.hasSuffix("."), text.count > 1 {
                throw ValueError(
                    "found \(quoted(text)): hellos have no final dot", suggestion: String(text.dropLast()).lowercased())
            }
            let name = text.hasPrefix("*.") ? String(text.dropFirst(2)) : text
            guard case .name(let checked)? = try? UpstreamHost(configured: name) else {
                throw ValueError(
                    "expected a name such as `git.example.net` or `*.example.net`, found \(quoted(text))",
                    suggestion: text.hasPrefix(".") && text.count > 1 ? "*\(text)" : nil)
            }
            return (text.hasPrefix("*.") ? "*." : "") + checked.lowercased()
        }
    }

    /// One protocol or a list of them.
    fileprivate static var protocols: Notation {
        list(of: "a protocol such as `h2`", atMost: maxProtocols, examples: ["[h2, http/1.1]", "imap"]) {
            text throws(ValueError) in
            guard (1...255).contains(text.utf8.count), text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
                throw ValueError("expected a protocol of 1 to 255 printable characters, found \(quoted(text))")
            }
            return text
        }
    }

    private static func list(
        of expected: String, atMost maxCount: Int, examples: [String],
        _ parse: @escaping @Sendable (String) throws(ValueError) -> String
    ) -> Notation {
        Notation(
            .anyOf([.anyText, .list(of: .anyText, 1...maxCount)]), examples: examples,
            text: { texts in texts.isEmpty ? nil : "[\(texts.map(flowText).joined(separator: ", "))]" }
        ) { node, key, context in
            let items: [ConfigurationNode] = if case .sequence(let items) = node.content { items } else { [node] }
            guard (1...maxCount).contains(items.count) else {
                context.diagnostics.error(
                    node.origin, "`\(key)`: expected 1 to \(maxCount) entries, found \(items.count)")
                return nil
            }
            var isGood = true
            var texts: [String] = []
            for item in items {
                let text = context.diagnostics.parsed(item, key, expected: expected) {
                    text throws(ValueError) in try parse(text)
                }
                guard let text else {
                    isGood = false
                    continue
                }
                if texts.contains(text) {
                    context.diagnostics.error(item.origin, "`\(key)`: \(quoted(text)) is named twice")
                    isGood = false
                }
                texts.append(text)
            }
            return isGood ? texts : nil
        }
    }
}
