import NetworkTypes

// The settings of routes from containers.

extension Configuration.Docker {
    static let section = Section<Self>(
        [
            Setting(
                "endpoint", \.endpoints, .engines, default: "required",
                required: "an `endpoint` such as `unix:///var/run/docker.sock`",
                "The API of the engine: `unix:///var/run/docker.sock` or `tcp://socket-proxy:2375`; several are a mapping "
                    + "from names to these."),
            Setting(
                "label_prefix", \.labelPrefix, .labelPrefix,
                "The first part of the labels that count. `proxy` also stands on containers of HTTP proxies, whose other "
                    + "labels are then no error."),
            Setting(
                "network", \.network, .optional(.networkName), default: "the only one of a container",
                "The network whose addresses are dialed where a container has several; a label `network` goes before it."
            ),
            Setting(
                "listen_ports", \.listenPorts, .portRanges, "The ports that labels may listen on."),
            Setting(
                "names", \.names,
                .serverNames(
                    "a name such as `*.apps.example.net`",
                    examples: ["[\"*.apps.example.net\"]", "git.example.net"]),
                default: "none",
                "The server names that labels may claim with `sni`: `\"*.apps.example.net\"` for all below it."),
            Setting(
                "bind", \.bind, .bindAddresses.takingOff(as: []), default: "every address",
                "The IP address, or a list of them, on which routes of labels listen."),
            Setting(
                "grace", \.grace, .duration(minimum: .zero),
                "How long a route keeps its listeners after its last container is gone."),
            Setting(
                "published_ports", \.usesPublishedPorts, .flag,
                "Whether ports that containers publish on the engine's host are dialed instead of their addresses, as "
                    + "rootless and remote engines need."),
            Setting(
                "ca", \.authorities, .optional(.certificateFile), default: "the system's",
                "The file of the certificates that sign those of engines at `tcp://`. With one of `ca`, `certificate` and "
                    + "`key` connections are encrypted."),
            Setting(
                "certificate", \.certificate, .optional(.certificateFile), default: "none",
                "The file of the certificate that engines at `tcp://` are shown."),
            Setting("key", \.key, .optional(.certificateFile), default: "none", "The file of its key."),
        ],
        check: { docker, section in
            let diagnostics = section.context.diagnostics
            func origin(_ key: String) -> Origin { section.entries[key]?.origin ?? section.node.origin }
            if docker.bind.contains(where: { $0.ip == nil }) {
                diagnostics.error(origin("bind"), "`bind`: expected IP addresses, found a Unix socket")
                return false
            }
            guard section.isGood, (docker.certificate == nil) != (docker.key == nil) else { return true }
            let (has, lacks) = docker.key == nil ? ("certificate", "key") : ("key", "certificate")
            diagnostics.error(origin(has), "\(section.name): `\(has)` needs a `\(lacks)`, found none")
            return false
        })
}

extension Notation where Value == [Configuration.Docker.Endpoint] {
    private typealias Endpoint = Configuration.Docker.Endpoint
    private static var maxEngines: Int { 16 }
    private static var expected: String { "an engine such as `unix:///var/run/docker.sock`, or a mapping of several" }

    /// One engine, or engines by their names.
    fileprivate static var engines: Notation {
        let mapping = JSONValue.members([
            ("type", .string("object")), ("minProperties", .integer(1)), ("additionalProperties", .anyText),
        ])
        return Notation(
            .anyOf([.anyText, mapping]), examples: ["unix:///run/weir-test-1.sock", "unix:///run/weir-test-2.sock"],
            text: { endpoints in
                if endpoints.count == 1, endpoints[0].name == Endpoint.defaultName {
                    return flowText(endpoints[0].address.description)
                }
                return endpoints.isEmpty
                    ? nil
                    : "{\(endpoints.map { "\(flowText($0.name)): \(flowText($0.address.description))" }.joined(separator: ", "))}"
            }
        ) { node, key, context in
            guard case .mapping(let entries) = node.content else {
                return address(node, key, context).map { [Endpoint(address: $0)] }
            }
            guard (1...maxEngines).contains(entries.count) else {
                context.diagnostics.error(
                    node.origin, "`\(key)`: expected 1 to \(maxEngines) engines, found \(entries.count)")
                return nil
            }
            let endpoints = entries.map { entry -> Endpoint? in
                guard isEngineName(entry.key) else {
                    context.diagnostics.error(
                        entry.keyOrigin,
                        "`\(key)`: expected a name of 1 to 64 letters, digits, `_`, `.` and `-`, found \(quoted(entry.key))"
                    )
                    return nil
                }
                return address(entry.value, key, context).map { Endpoint(name: entry.key, address: $0) }
            }
            return endpoints.contains(nil) ? nil : endpoints.compactMap(\.self)
        }
    }

    private static func address(
        _ node: ConfigurationNode, _ key: String, _ context: ReadingContext
    ) -> Endpoint.Address? {
        context.diagnostics.parsed(node, key, expected: expected) { text throws(ValueError) in
            try Endpoint.Address(parsing: text)
        }
    }

    private static func isEngineName(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        return (1...64).contains(bytes.count) && isAlphanumeric(bytes[0])
            && bytes.allSatisfy { isAlphanumeric($0) || "_.-".utf8.contains($0) }
    }
}

extension Notation where Value == String {
    /// The first part of labels, which may have dots in it.
    fileprivate static var labelPrefix: Notation {
        let expected = "a prefix of labels such as `weir`"
        return Notation(.anyText, examples: ["weir", "net.example.proxy"], text: flowText) { node, key, context in
            context.diagnostics.parsed(node, key, expected: expected) { text throws(ValueError) in
                let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
                guard text.utf8.count <= 64, parts.allSatisfy({ !$0.isEmpty }),
                    text.utf8.allSatisfy({ isAlphanumeric($0) || "_.-".utf8.contains($0) })
                else {
                    throw ValueError(
                        "expected \(expected), found \(quoted(text))",
                        suggestion: text.hasSuffix(".") && text.utf8.count > 1 ? String(text.dropLast()) : nil)
                }
                return text
            }
        }
    }

    /// The name of a network of containers.
    fileprivate static var networkName: Notation {
        Notation(.anyText, examples: ["weir", "edge"], text: flowText) { node, key, context in
            context.diagnostics.parsed(node, key, expected: "the name of a network") { text throws(ValueError) in
                guard (1...128).contains(text.utf8.count), text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
                    throw ValueError("expected the name of a network, found \(quoted(text))")
                }
                return text
            }
        }
    }

    /// The path of a file in PEM form; it is read at each connection.
    fileprivate static var certificateFile: Notation {
        Notation(.anyText, examples: ["engine.pem", "other.pem"], text: flowText) { node, key, context in
            let text = context.diagnostics.parsed(node, key, expected: "a file such as `cert.pem`") {
                text throws(ValueError) in
                guard !text.isEmpty, !text.utf8.contains(0) else {
                    throw ValueError("expected a file such as `cert.pem`, found \(quoted(text))")
                }
                return text
            }
            return text.map { context.referencedFiles.resolve($0, from: node.origin) }
        }
    }
}

extension Notation where Value == [ClosedRange<UInt16>] {
    /// Ports and ranges of ports.
    fileprivate static var portRanges: Notation {
        let expected = "ports such as `1024-65535`"
        let item = JSONValue.anyOf([.integer(in: 1...65_535), .text("[0-9]{1,5}(-[0-9]{1,5})?")])
        return Notation(
            .anyOf([item, .list(of: item, 1...64)]), examples: ["[1024-65535]", "[53, 2000-2999]"],
            text: { "[\($0.map { PortMapping.text($0) }.joined(separator: ", "))]" }
        ) { node, key, context in
            guard let items = context.diagnostics.oneOrMore(node, key, atMost: 64, "ranges") else { return nil }
            let ranges = items.map { item in
                context.diagnostics.parsed(item, key, expected: expected) { text throws(ValueError) in
                    guard let ports = try? PortMapping(parsing: text), !text.contains(":") else {
                        throw ValueError("expected \(expected), found \(quoted(text))")
                    }
                    return ports.listen
                }
            }
            return ranges.contains(nil) ? nil : ranges.compactMap(\.self)
        }
    }
}
