import NetworkTypes

// The settings of routes that share a listener.
extension RouteConfiguration {
    static let nameSettings: [Setting<RouteConfiguration>] = [
        Setting(
            "sni", \.claims.serverNames,
            .serverNames(
                "a name such as `git.example.net` or `*.example.net`",
                examples: ["[git.example.net, \"*.example.net\"]", "git.example.net"]
            ).takingOff(as: []),
            for: .tcp, default: "any name", page: .names,
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

extension Notation where Value == [ServerNamePattern] {
    /// One server name or a list of them, as hellos have them.
    static func serverNames(_ expected: String, examples: [String]) -> Notation {
        distinct(expected, atMost: 1_000, examples: examples) { text throws(ValueError) in
            if let pattern = ServerNamePattern(text) { return pattern }
            if IPAddress(text) != nil {
                throw ValueError("found the address \(quoted(text)): a hello names hosts, never addresses (RFC 6066)")
            }
            if text.hasSuffix("."), let pattern = ServerNamePattern(String(text.dropLast())) {
                throw ValueError("found \(quoted(text)): hellos have no final dot", suggestion: pattern.description)
            }
            throw ValueError(
                "expected \(expected), found \(quoted(text))",
                suggestion: ServerNamePattern("*\(text)").map(\.description))
        }
    }
}

extension Notation where Value == [String] {
    /// One protocol or a list of them.
    static var protocols: Notation {
        distinct("a protocol such as `h2`", atMost: 16, examples: ["[h2, http/1.1]", "imap"]) {
            text throws(ValueError) in
            guard (1...255).contains(text.utf8.count), text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
                throw ValueError("expected a protocol of 1 to 255 printable characters, found \(quoted(text))")
            }
            return text
        }
    }
}
