import NetworkTypes

// Lists of addresses, and where the exporter listens.

/// The peers whose PROXY headers are believed.
struct TrustedProxies: Equatable, Sendable {
    /// The word for clients of Unix sockets.
    static let unixWord = "unix"

    var networks: [IPPrefix]
    /// Whether clients of Unix sockets are among them.
    var hasUnixSockets: Bool
}

extension ProxyProtocolSettings {
    /// The value of `trusted_proxies`.
    var trusted: TrustedProxies {
        get { TrustedProxies(networks: trustedProxies, hasUnixSockets: trustsUnixSockets) }
        set { (trustedProxies, trustsUnixSockets) = (newValue.networks, newValue.hasUnixSockets) }
    }
}

extension Notation where Value == TrustedProxies {
    /// The proxies that are believed.
    static var trustedProxies: Notation {
        Notation(
            JSONValue.list(of: .anyText, 0...10_000).orNull, examples: ["[10.0.0.0/8]", "[192.0.2.0/24, unix]"],
            text: { trusted in
                let words =
                    trusted.networks.map(\.description) + (trusted.hasUnixSockets ? [TrustedProxies.unixWord] : [])
                return words.isEmpty ? nil : "[\(words.map(flowText).joined(separator: ", "))]"
            }
        ) { node, key, context in
            var node = node
            var hasUnixSockets = false
            if case .sequence(let items) = node.content {
                let others = items.filter { item in
                    if case .scalar(TrustedProxies.unixWord, _) = item.content { false } else { true }
                }
                hasUnixSockets = others.count < items.count
                node = ConfigurationNode(origin: node.origin, content: .sequence(others))
            }
            let networks = context.diagnostics.blocks(
                node, key, ofEverything: "any client can then say that it is another one")
            return networks.map { TrustedProxies(networks: $0, hasUnixSockets: hasUnixSockets) }
        }
    }
}

extension Notation where Value == [IPPrefix]? {
    /// The networks whose connections the exporter takes.
    static var exporterClients: Notation {
        Notation(
            .list(of: .anyText, 1...10_000), examples: ["[10.0.0.0/8]", "[192.0.2.0/24]"], text: { $0?.listText }
        ) { node, key, context in
            guard let blocks = context.diagnostics.blocks(node, key, ofEverything: "then everybody is let in") else {
                return nil
            }
            if blocks.isEmpty {
                context.diagnostics.error(
                    node.origin,
                    "`\(key)`: expected a list such as `[10.0.0.0/8]`, found nothing: no client but this machine "
                        + "could ask the exporter")
                return nil
            }
            return .some(blocks)
        }
    }
}

extension Notation where Value == [String] {
    private static var maxHosts: Int { 64 }

    /// Host names that the exporter serves.
    static var hostNames: Notation {
        Notation(
            JSONValue.list(of: .anyText, 0...maxHosts).orNull,
            examples: ["[metrics.example.net]", "[a.example, b.example]"],
            text: { $0.isEmpty ? nil : "[\($0.map(flowText).joined(separator: ", "))]" }
        ) { node, key, context in
            switch node.content {
            case .null: return []
            case .refused: return nil
            case .sequence(let items) where items.count <= maxHosts:
                let names = items.map { item in
                    context.diagnostics.parsed(
                        item, key, expected: "a host name such as `metrics.example.net`", hostName)
                }
                return names.contains(nil) ? nil : names.compactMap { $0 }
            case .sequence(let items):
                context.diagnostics.error(
                    node.origin, "`\(key)`: expected at most \(maxHosts) names, found \(items.count)")
            case .scalar, .mapping:
                context.diagnostics.error(
                    node.origin, "`\(key)`: expected a list such as `[metrics.example.net]`, found \(node.found)")
            }
            return nil
        }
    }

    private static func hostName(_ text: String) throws(ValueError) -> String {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        if parts.count == 2, !parts[1].isEmpty, parts[1].allSatisfy(\.isNumber) {
            throw ValueError("found a port in \(quoted(text)): names stand here without one", suggestion: "\(parts[0])")
        }
        guard case .name(let name) = try UpstreamHost(configured: text) else {
            throw ValueError("found \(quoted(text)): IP addresses are always served, only names stand here")
        }
        return name
    }
}

extension [IPPrefix] {
    fileprivate var listText: String? {
        isEmpty ? nil : "[\(map { flowText($0.description) }.joined(separator: ", "))]"
    }
}

extension Notation where Value == [Configuration.Exporter.Listener] {
    private static var maxListeners: Int { 16 }

    /// One address or path, or a list of them.
    static var exporterListeners: Notation {
        Notation(
            .anyOf([.anyText, .list(of: .anyText, 1...maxListeners)]), examples: ["127.0.0.1:9848", "127.0.0.1:9849"],
            text: { listeners in
                let texts = listeners.map { flowText($0.description) }
                return texts.count == 1 ? texts[0] : "[\(texts.joined(separator: ", "))]"
            }
        ) { node, key, context in
            guard case .sequence(let items) = node.content else {
                return readListener(node, key, context).map { [$0] }
            }
            return readListeners(items, node, key, context)
        }
    }

    private static func readListeners(
        _ items: [ConfigurationNode], _ node: ConfigurationNode, _ key: String, _ context: ReadingContext
    ) -> Value? {
        guard (1...maxListeners).contains(items.count) else {
            context.diagnostics.error(
                node.origin, "`\(key)`: expected 1 to \(maxListeners) addresses, found \(items.count)")
            return nil
        }
        var listeners: Value = []
        var isGood = true
        for item in items {
            guard let listener = readListener(item, key, context) else {
                isGood = false
                continue
            }
            if case .unix(let path) = listener, listeners.contains(listener) {
                context.diagnostics.error(item.origin, "`\(key)`: \(quoted(path.path)) is named twice")
            }
            listeners.append(listener)
        }
        return isGood ? listeners : nil
    }

    private static func readListener(
        _ node: ConfigurationNode, _ key: String, _ context: ReadingContext
    ) -> Configuration.Exporter.Listener? {
        let expected = "an IP address and a port such as `127.0.0.1:9847`, or `unix:/run/weir/exporter.sock`"
        return context.diagnostics.parsed(node, key, expected: expected) { text throws(ValueError) in
            try Configuration.Exporter.Listener(parsing: text)
        }
    }
}

extension Notation where Value == UnixSocketPath {
    /// The path of a Unix socket.
    static var adminSocket: Notation {
        Notation(
            .anyText, examples: ["unix:/run/weir/one.sock", "unix:/run/weir/two.sock"], text: \.description
        ) { node, key, context in
            let expected = "a Unix socket such as `unix:/run/weir/admin.sock`"
            return context.diagnostics.parsed(node, key, expected: expected) { text throws(ValueError) in
                guard text.hasPrefix(UnixSocketPath.prefix) else {
                    throw ValueError("found \(quoted(text)): operators come by a Unix socket only")
                }
                return try UnixSocketPath(
                    configured: text, isAbstractAllowed: false, example: "unix:/run/weir/admin.sock")
            }
        }
    }
}

extension Notation where Value == UInt32 {
    /// The permission bits of a file.
    static var fileMode: Notation {
        Notation(
            .anyOf([.text("0?[0-7]{3}"), .integer(in: 0...777)]), examples: ["0600", "0666"],
            text: { mode in
                let digits = String(mode, radix: 8)
                return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
            }
        ) { node, key, context in
            context.diagnostics.parsed(node, key, expected: "permissions such as `0660`", parseFileMode)
        }
    }
}

/// A text as a flow sequence or mapping can have it: in quotes where YAML would take it apart.
func flowText(_ text: String) -> String {
    let isPlain =
        !text.isEmpty
        && text.utf8.allSatisfy { isAlphanumeric($0) || "._-/:%+".utf8.contains($0) }
        && !text.hasPrefix(":") && !text.hasSuffix(":") && !text.hasPrefix("-") && !text.contains(text: "::")
    if isPlain { return text }
    var quotedText = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": quotedText += "\\\""
        case "\\": quotedText += "\\\\"
        case _ where scalar.value < 0x20 || scalar.value == 0x7f:
            let digits = String(scalar.value, radix: 16)
            quotedText += "\\x" + (digits.count < 2 ? "0" : "") + digits
        default: quotedText.unicodeScalars.append(scalar)
        }
    }
    return quotedText + "\""
}
