import NetworkTypes

// How the values of routes are written that have a form of their own.

extension Notation where Value == Network {
    /// The transport and address families of a listener.
    static var scheme: Notation {
        let words = Network.allCases.map(\.rawValue) + schemesOfBoth.keys.sorted()
        let expected = "one of " + words.map { "`\($0)`" }.joined(separator: ", ")
        return Notation(.words(words), examples: words, text: \.rawValue) { node, key, context in
            context.diagnostics.parsed(node, key, expected: expected) { text throws(ValueError) in
                // A route has become two by now; `defaults` are only looked at.
                if let scheme = Network(rawValue: text) ?? schemesOfBoth[text]?.first { return scheme }
                if let transport = carriers[text.lowercased()] {
                    throw ValueError(
                        "expected \(expected), found \(quoted(text)): Weir forwards streams without looking into them, "
                            + "and \(quoted(text)) runs over \(transport.rawValue.uppercased())",
                        suggestion: transport.rawValue)
                }
                throw ValueError(
                    "expected \(expected), found \(quoted(text))", suggestion: nearMiss(of: text, among: words))
            }
        }
    }
}

/// The schemes of a route that carries both transports, and those of its halves.
let schemesOfBoth: [String: [Network]] = [
    "tcp+udp": [.tcp, .udp], "tcp4+udp4": [.tcp4, .udp4], "tcp6+udp6": [.tcp6, .udp6],
]

/// Protocols that people write where the transport is meant.
private let carriers: [String: Transport] = [
    "http": .tcp, "https": .tcp, "h2": .tcp, "h2c": .tcp, "http2": .tcp, "grpc": .tcp, "ws": .tcp, "wss": .tcp,
    "tls": .tcp, "ssl": .tcp, "ssh": .tcp, "smtp": .tcp, "imap": .tcp, "mqtt": .tcp, "redis": .tcp,
    "postgres": .tcp, "mysql": .tcp, "stream": .tcp, "dns": .udp, "quic": .udp, "http3": .udp, "h3": .udp,
    "dtls": .udp, "wireguard": .udp,
]

extension Notation where Value == [BindAddress] {
    /// The addresses of listeners. Whether their families fit the scheme is looked at when both are known.
    static var bindAddresses: Notation {
        distinct("an IP address to listen on", atMost: 64, examples: ["127.0.0.1", "[127.0.0.2, 127.0.0.3]"]) {
            text throws(ValueError) in
            if text.hasPrefix(UnixSocketPath.prefix) {
                return .unix(try UnixSocketPath(configured: text, example: "unix:/run/weir/db.sock"))
            }
            return .ip(try parseBindAddress(text).address)
        }
    }
}

/// An address to listen on, as it is written.
func parseBindAddress(_ text: String) throws(ValueError) -> WrittenAddress {
    let expected = "an IP address to listen on"
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
    if let address = addressBeforePort(text) {
        throw ValueError(
            "found a port in \(quoted(text)): the port to listen on is the first half of `port`", suggestion: address)
    }
    let written = try WrittenAddress(parsing: bytes)
    _ = try written.checked()
    return written
}

extension Notation where Value == UpstreamHost {
    /// A name or an address, without a port.
    static var host: Notation {
        Notation(
            .anyText, examples: ["192.0.2.8", "192.0.2.9"], text: \.description
        ) { node, key, context in
            context.diagnostics.parsed(node, key, expected: "a host name or an IP address") { text throws(ValueError) in
                try UpstreamHost(configured: text)
            }
        }
    }
}

extension Notation where Value == [PortMapping] {
    /// `LISTEN:TARGET`, or one number for both, each perhaps a range; or a list of these.
    static var ports: Notation {
        let mapping = JSONValue.text("[0-9]{1,5}(-[0-9]{1,5})?(:[0-9]{1,5}(-[0-9]{1,5})?)?")
        let mappings = distinct(
            "`LISTEN:TARGET` such as `2222:22`", atMost: 64, examples: []
        ) { text throws(ValueError) in try PortMapping(configured: text) }
        return Notation(
            .anyOf([
                .integer(in: 1...65_535), mapping,
                .list(of: .anyOf([.integer(in: 1...65_535), mapping]), 1...64),
            ]), examples: ["2222:22", "[\"2223:22\", \"30000-30099:40000-40099\"]"],
            text: { $0.count == 1 ? $0[0].description : mappings.text($0) }
        ) { node, key, context in
            guard let ports = mappings.read(node, key, context) else { return nil }
            var isGood = true
            for (index, mapping) in ports.enumerated() {
                guard let other = ports[..<index].first(where: { $0.listen.overlaps(mapping.listen) }) else { continue }
                context.diagnostics.error(
                    node.origin,
                    "`\(key)`: \(quoted(mapping.description)) and \(quoted(other.description)) listen on the same port")
                isGood = false
            }
            return isGood ? ports : nil
        }
    }
}

extension Notation where Value == RateLimit.Rate {
    /// So many in a time.
    static var rate: Notation {
        Notation(.rateText, examples: ["10/s", "20/s"], text: \.text) { node, key, context in
            context.diagnostics.parsed(node, key, expected: "a rate such as `10/s`, `600/m` or `5/h`") {
                text throws(ValueError) in
                let (count, period) = try parseRate(text)
                return RateLimit.Rate(count: count, period: period)
            }
        }
    }
}

extension Notation where Value == RateLimit? {
    /// A rate, a mapping of rate and burst, or `off`.
    static var rateLimit: Notation {
        let mapping = Notation<RateLimit>.section(
            RateLimit.section, initial: RateLimit(count: 0), examples: [])
        let rate = Notation<RateLimit.Rate>.rate
        return Notation(
            .anyOf([.off, rate.schema, mapping.schema]), examples: ["10/s", "{rate: 10/s, burst: 20}"],
            text: { limit in
                guard let limit else { return "off" }
                return limit.burst == limit.count ? limit.rate.text : mapping.text(limit)
            }
        ) { node, key, context in
            if node.isOff { return .some(nil) }
            if case .mapping = node.content { return mapping.read(node, key, context).map { .some($0) } }
            return rate.read(node, key, context).map { .some(RateLimit(count: $0.count, period: $0.period)) }
        }
    }
}

extension Notation where Value == Int? {
    /// Bytes a second.
    static var byteRate: Notation {
        Notation(
            .byteRateText, examples: ["1MB/s", "2MB/s"], text: { $0.map(byteRateText) }
        ) { node, key, context in
            let rate = context.diagnostics.parsed(node, key, expected: "bytes a second such as `10MB/s`") {
                text throws(ValueError) in try parseByteRate(text)
            }
            return rate.map { .some($0) }
        }
    }
}

extension Notation where Value == Bandwidth {
    /// A mapping of rates, or `off`, which limits nothing.
    static var bandwidth: Notation {
        let mapping = Notation.section(
            Bandwidth.section, initial: Bandwidth(), examples: ["{ingress: 10MB/s, egress: 10MB/s}", "{egress: 2MB/s}"]
        ).requiringMapping(such: "{ingress: 10MB/s, egress: 10MB/s}")
        return Notation(
            .anyOf([.off, mapping.schema]), examples: mapping.examples,
            text: { $0.isEmpty ? "off" : mapping.text($0) }
        ) { node, key, context in node.isOff ? Bandwidth() : mapping.read(node, key, context) }
    }
}

extension Notation where Value == RouteAccessConfiguration? {
    /// The rules of a route.
    static var routeAccess: Notation {
        .optional(
            .section(
                RouteAccessConfiguration.section, initial: RouteAccessConfiguration(),
                examples: ["{deny: [\"ip:192.0.2.1\"]}", "{deny: [\"ip:192.0.2.2\"]}"]))
    }
}

extension Notation where Value == ProxyProtocolSettings {
    /// The peers that begin with a PROXY header.
    static var proxyProtocol: Notation {
        .section(
            ProxyProtocolSettings.section, initial: ProxyProtocolSettings(),
            examples: [
                "{mode: mixed, trusted_proxies: [10.0.0.0/8]}", "{mode: required, trusted_proxies: [10.0.0.0/8]}",
            ]
        ).takingOff(as: ProxyProtocolSettings())
    }
}

extension Notation where Value == PreDialProgram? {
    /// A program, or `off`.
    static var preDial: Notation {
        .offOr(
            Notation<PreDialProgram>.section(
                PreDialProgram.section, initial: PreDialProgram(command: []),
                examples: ["{exec: [/bin/true]}", "{exec: [/bin/true, -v]}"]
            ).requiringMapping(such: "{exec: [/usr/local/bin/may-pass]}"))
    }
}

extension Notation where Value == [String] {
    /// The longest command line: programs get at most a few kilobytes for sure.
    private static var maxArguments: Int { 64 }
    private static var maxArgumentLength: Int { 4096 }

    /// A program and its arguments.
    static var command: Notation {
        let examples = ["[/bin/true]", "[/bin/true, -v]"]
        return Notation(
            .list(of: .scalar, 1...maxArguments), examples: examples,
            text: { "[\($0.map(flowText).joined(separator: ", "))]" }
        ) { node, _, context in readCommand(node, context.diagnostics) }
    }

    private static func readCommand(_ node: ConfigurationNode, _ diagnostics: Diagnostics) -> [String]? {
        guard case .sequence(let items) = node.content, (1...maxArguments).contains(items.count) else {
            if case .refused = node.content { return nil }
            diagnostics.error(
                node.origin,
                "`exec`: expected a list of a program and its arguments, such as `[/usr/local/bin/may-pass, -v]`, "
                    + "found \(node.found)")
            return nil
        }
        var command: [String] = []
        for item in items {
            guard let text = diagnostics.text(item, "exec", expected: "the program or an argument") else { return nil }
            guard text.utf8.count <= maxArgumentLength, !(command.isEmpty && text.isEmpty) else {
                diagnostics.error(
                    item.origin,
                    "`exec`: expected "
                        + (text.isEmpty
                            ? "the path of a program, found empty text"
                            : "at most \(maxArgumentLength) bytes, found \(text.utf8.count)"))
                return nil
            }
            command.append(text)
        }
        return command
    }
}
