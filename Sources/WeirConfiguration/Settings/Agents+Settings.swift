import NetworkTypes

// The settings of agents.

extension AgentConfiguration {
    static let section = Section<AgentConfiguration>(
        [
            Setting(
                "address", \.address, .agentAddress, default: "required",
                required: "an `address` such as `agent.example.net:8890`",
                "Where the agent listens: a name or an IP address, and a port, 8890 where there is none."),
            Setting(
                "bundle", \.bundle, .optional(.file("a file such as `edge-1.zip`")), default: "none",
                "The archive with `ca.pem`, `cert.pem` and `key.pem` that `weir agent certificates` makes."),
            Setting(
                "ca", \.authority, .optional(.authorities), default: "that of `bundle`",
                "Instead of `bundle`: a file with the certificate of the agent's authority."),
            Setting(
                "certificate", \.certificate, .optional(.file("a file such as `client.pem`")),
                default: "that of `bundle`", "A file with the certificate that the agent gets to see, leaf first."),
            Setting(
                "key", \.key, .optional(.file("a file such as `client.key`")), default: "that of `bundle`", "Its key."),
            Setting(group: "probe", \.probe, Probe.section, "How often the agent is asked whether it takes tunnels."),
        ],
        check: { agent, section in
            guard section.isGood else { return true }
            let reader = CertificateReader(context: section.context)
            let origins = ["ca", "certificate", "key"].map { section.entries[$0]?.origin }
            if let bundle = agent.bundle, let origin = section.entries["bundle"]?.origin {
                guard let other = origins.compactMap(\.self).first else {
                    return reader.check(bundle: bundle, at: origin)
                }
                section.context.diagnostics.error(
                    other, "\(section.name): expected `bundle`, or `ca`, `certificate` and `key`, found both")
                return false
            }
            guard agent.authority != nil, let certificate = agent.certificate, let key = agent.key,
                let certificateOrigin = origins[1], let keyOrigin = origins[2]
            else {
                section.context.diagnostics.error(
                    section.node.origin,
                    "\(section.name): expected a `bundle` such as `edge-1.zip`, or `ca`, `certificate` and `key`, found "
                        + (origins.allSatisfy { $0 == nil } ? "none" : "a part of them"))
                return false
            }
            return reader.check(
                CertificateFiles(certificate: certificate, key: key), at: (certificateOrigin, keyOrigin))
        })
}

extension AgentConfiguration.Probe {
    static let section = Section<Self>(
        [
            Setting(
                "interval", \.interval,
                .duration(in: Duration.seconds(1)...Duration.seconds(3_600), examples: ["10s", "30s"]),
                "From one probe to the next."),
            Setting(
                "timeout", \.timeout,
                .duration(in: Duration.milliseconds(100)...Duration.seconds(60), examples: ["2s", "3s"]),
                "For one probe."),
        ],
        check: { probe, section in
            guard section.isGood, probe.timeout > probe.interval else { return true }
            section.context.diagnostics.error(
                section.entries["timeout"]?.origin ?? section.node.origin,
                "\(section.name): expected a `timeout` within the `interval`, found a longer one")
            return false
        })
}

extension Notation where Value == AgentAddress {
    fileprivate static var agentAddress: Notation {
        let expected = "an address such as `agent.example.net:8890`"
        return Notation(
            .anyText, examples: ["agent.example.net:8890", "192.0.2.7:8890"], text: { flowText($0.description) }
        ) { node, key, context in
            context.diagnostics.parsed(node, key, expected: expected) { text throws(ValueError) in
                let upstream = try UpstreamConfiguration(parsing: text)
                guard upstream.host.unixPath == nil else {
                    throw ValueError("expected \(expected), found \(quoted(text))")
                }
                return AgentAddress(upstream.host, port: upstream.port ?? AgentAddress.usualPort)
            }
        }
    }
}

extension Notation where Value == String {
    fileprivate static var expectedName: String {
        "the name of an agent: 1 to 64 letters, digits, `_`, `.` and `-`, the first a letter or a digit"
    }

    /// The name of an agent.
    static var agentReference: Notation {
        Notation(.anyText, examples: ["edge-1", "edge-2"], text: flowText) { node, key, context in
            context.diagnostics.parsed(node, key, expected: expectedName) { text throws(ValueError) in
                guard isAgentName(text) else { throw ValueError("expected \(expectedName), found \(quoted(text))") }
                return text
            }
        }
    }
}

extension Notation where Value == String? {
    /// The name of an agent; `off` is an empty one.
    static var upstreamAgent: Notation {
        let name = Notation<String>.agentReference
        return Notation(
            .anyOf([.off, name.schema]), examples: name.examples, text: { $0.map { $0.isEmpty ? "off" : flowText($0) } }
        ) { node, key, context in
            if node.isOff { return .some("") }
            return name.read(node, key, context).map { .some($0) }
        }
    }
}

private func isAgentName(_ text: String) -> Bool { isRouteName(text) && !isOff(text) }

extension Notation where Value == [AgentConfiguration] {
    private static var maxAgents: Int { 256 }

    /// A mapping from names to agents.
    static var agents: Notation {
        let section = AgentConfiguration.section
        return Notation(
            .members([
                ("type", .string("object")),
                ("propertyNames", .members([("pattern", .string("^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"))])),
                ("additionalProperties", section.schema),
            ]),
            examples: [
                "{edge-1: {address: \"agent.example.net:8890\", bundle: edge-1.zip}}",
                "{edge-2: {address: \"192.0.2.7:8890\", ca: ca.pem, certificate: client.pem, key: client.key}}",
            ],
            text: { agents in
                agents.isEmpty
                    ? nil : "{\(agents.map { "\(flowText($0.name)): \(section.text($0))" }.joined(separator: ", "))}"
            }
        ) { node, key, context in
            if case .null = node.content { return [] }
            guard CertificateReader(context: context).isSupported(key, at: node.origin) else { return nil }
            guard case .mapping(let entries) = node.content else {
                context.diagnostics.error(
                    node.origin, "`\(key)`: expected a mapping from names to agents, found \(node.found)")
                return nil
            }
            guard entries.count <= maxAgents else {
                context.diagnostics.error(
                    node.origin, "`\(key)`: expected at most \(maxAgents) agents, found \(entries.count)")
                return nil
            }
            let agents = entries.map { entry -> AgentConfiguration? in
                guard isAgentName(entry.key) else {
                    context.diagnostics.error(
                        entry.keyOrigin,
                        "`\(key)`: expected \(Notation<String>.expectedName), found \(quoted(entry.key))")
                    return nil
                }
                var agent = AgentConfiguration(name: entry.key, address: AgentAddress(.name("")))
                let isGood = section.read(entry.value, named: "agent \(quoted(entry.key))", into: &agent, context)
                return isGood ? agent : nil
            }
            return agents.contains(nil) ? nil : agents.compactMap(\.self)
        }
    }
}
