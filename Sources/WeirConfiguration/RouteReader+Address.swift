extension RouteReader {
    func readScheme(_ value: YAMLValue) -> Scheme? {
        let words = Scheme.allCases.map(\.rawValue)
        let expected = "one of " + words.map { "`\($0)`" }.joined(separator: ", ")
        return findings.parsed(value, "scheme", expected: expected) { text throws(ValueError) in
            if let scheme = Scheme(rawValue: text) { return scheme }
            if let transport = RouteReader.carriers[text.lowercased()] {
                throw ValueError(
                    "expected \(expected), found \(quoted(text)): Weir forwards streams without looking into them, and "
                        + "\(quoted(text)) runs over \(transport.rawValue.uppercased())",
                    suggestion: transport.rawValue)
            }
            throw ValueError(
                "expected \(expected), found \(quoted(text))", suggestion: nearMiss(of: text, among: words))
        }
    }

    /// Protocols that people write where the transport is meant.
    private static let carriers: [String: Transport] = [
        "http": .tcp, "https": .tcp, "h2": .tcp, "h2c": .tcp, "http2": .tcp, "grpc": .tcp, "ws": .tcp, "wss": .tcp,
        "tls": .tcp, "ssl": .tcp, "ssh": .tcp, "smtp": .tcp, "imap": .tcp, "mqtt": .tcp, "redis": .tcp,
        "postgres": .tcp, "mysql": .tcp, "stream": .tcp, "dns": .udp, "quic": .udp, "http3": .udp, "h3": .udp,
        "dtls": .udp, "wireguard": .udp,
    ]

    /// The outer nil is an error; the inner one never comes from here.
    func readBind(_ value: YAMLValue, scheme: Scheme?) -> IPLiteral?? {
        let expected = "an IP address to listen on"
        let address = findings.parsed(value, "bind", expected: expected) { text throws(ValueError) in
            var bytes = Array(text.utf8)[...]
            if bytes.first == UInt8(ascii: "["), bytes.last == UInt8(ascii: "]") {
                bytes = bytes.dropFirst().dropLast()
            }
            if text == "*" || text.isEmpty {
                throw ValueError("expected \(expected), found \(quoted(text)); leave `bind` out for every address")
            }
            if text == "localhost" {
                throw ValueError("expected \(expected), found \(quoted(text))", suggestion: "127.0.0.1")
            }
            let address = try IPLiteral(parsing: bytes).checkedScope()
            try RouteReader.checkFamily(of: address, scheme: scheme)
            return address.unmapped
        }
        return address.map { .some($0) }
    }

    private static func checkFamily(of address: IPLiteral, scheme: Scheme?) throws(ValueError) {
        guard let scheme else { return }
        let transport = scheme.transport.rawValue
        switch scheme.family {
        case .ipv4 where address.isIPv6:
            throw ValueError(
                "scheme `\(scheme.rawValue)` listens on IPv4, found the IPv6 address `\(address)`; an address "
                    + "for it, or "
                    + "scheme `\(transport)6`, is expected",
                suggestion: address.isIPv4Mapped ? address.unmapped.description : nil)
        case .ipv6 where !address.unmapped.isIPv6:
            throw ValueError(
                "scheme `\(scheme.rawValue)` listens on IPv6, found the IPv4 address `\(address)`; an address "
                    + "for it, or "
                    + "scheme `\(transport)4`, is expected")
        default: break
        }
    }

    func readHost(_ value: YAMLValue) -> UpstreamHost? {
        findings.parsed(value, "host", expected: "a host name or an IP address") { text throws(ValueError) in
            try UpstreamHost(parsing: text)
        }
    }

    func readPort(_ value: YAMLValue) -> PortPair? {
        findings.parsed(value, "port", expected: "`LISTEN:TARGET` such as `2222:22`") { text throws(ValueError) in
            try PortPair(parsing: text)
        }
    }
}
