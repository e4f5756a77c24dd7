import NetworkTypes

// Containers from the answers of an engine: `/containers/json` and `/containers/ID/json` of the Docker Engine API,
// which Podman has, too.

extension Container {
    /// The most containers of one engine that are looked at.
    package static let maxCount = 4_096
    /// The bounds on lists within one container.
    private static let maxPorts = 4_096
    private static let maxNetworks = 64

    /// Reads the list of all containers. Entries without an identifier are left out.
    /// - Throws: for anything but a list, and for a list that is too long.
    package static func list(_ answer: JSONNode) throws(EngineFailure) -> [Container] {
        guard case .list(let entries) = answer else {
            throw EngineFailure(.parse, "expected a list of containers, found something else")
        }
        guard entries.count <= maxCount else {
            throw EngineFailure(.parse, "found \(entries.count) containers, and \(maxCount) are the most that are read")
        }
        return entries.compactMap { Container($0) }
    }

    /// Reads one entry of the list.
    private init?(_ entry: JSONNode) {
        guard let id = entry["Id"]?.text, Self.isIdentifier(id) else { return nil }
        // The first name is its own; others are those of old links.
        let names = entry["Names"]?.items.compactMap(\.text) ?? []
        let own = names.first { $0.dropFirst().contains("/") == false } ?? names.first ?? String(id.prefix(12))
        self.init(id: id, name: own.hasPrefix("/") ? String(own.dropFirst()) : own)
        for member in entry["Labels"]?.members ?? [] { labels[member.name] = member.value.text ?? "" }
        let phase = entry["State"]?.text?.lowercased() ?? ""
        state = Self.state(phase)
        isStopping = phase == "stopping"
        health = Self.health(of: entry)
        created = entry["Created"]?.integer ?? 0
        networkMode = entry["HostConfig"]?["NetworkMode"]?.text ?? ""
        isAbridged = entry["HostConfig"] == nil
        networks = Self.networks(entry["NetworkSettings"]?["Networks"])
        ports = (entry["Ports"]?.items.prefix(Self.maxPorts) ?? []).compactMap { Port($0) }
    }

    /// Whether it can stand in the path of a request as it is.
    static func isIdentifier(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
            }
    }

    /// Docker's words, and those that only Podman has.
    private static func state(_ word: String) -> State {
        switch word {
        case "stopping": .running
        case "stopped": .exited
        case "configured", "initialized": .created
        default: State(rawValue: word) ?? .unknown
        }
    }

    /// A field of its own in newer versions, else the end of a text for people: `Up 2 hours (healthy)`.
    private static func health(of entry: JSONNode) -> Health {
        if let word = entry["Health"]?["Status"]?.text ?? entry["Health"]?.text {
            return Health(rawValue: word) ?? .none
        }
        let status = entry["Status"]?.text ?? ""
        if status.contains(text: "(healthy)") { return .healthy }
        if status.contains(text: "(unhealthy)") { return .unhealthy }
        return status.contains(text: "(health: starting)") || status.contains(text: "(starting)") ? .starting : .none
    }

    private static func networks(_ node: JSONNode?) -> [Network] {
        (node?.members.prefix(maxNetworks) ?? []).compactMap { member in
            let texts = ["IPAddress", "GlobalIPv6Address"].compactMap { member.value[$0]?.text }
            guard let address = texts.lazy.compactMap({ IPAddress($0) }).first else { return nil }
            return Network(name: member.name, address: address)
        }.sorted { $0.name < $1.name }
    }

    /// Takes over what only the answer about one container has.
    mutating func add(_ inspection: Inspection) {
        for port in inspection.exposed
        where !ports.contains(where: { $0.number == port.number && $0.transport == port.transport }) {
            ports.append(port)
        }
        guard isAbridged else { return }
        (networkMode, health, isAbridged) = (inspection.networkMode, inspection.health, false)
    }

    /// The parts of an answer about one container that the list may lack.
    struct Inspection {
        /// The ports that its image or its start exposes.
        let exposed: [Port]
        /// As ``Container/networkMode``.
        let networkMode: String
        /// As ``Container/health``.
        let health: Health

        /// Reads the answer; what is not in it is as if there were none.
        init(_ answer: JSONNode) {
            exposed = (answer["Config"]?["ExposedPorts"]?.members.prefix(Container.maxPorts) ?? []).compactMap {
                Port(exposed: $0.name)
            }
            networkMode = answer["HostConfig"]?["NetworkMode"]?.text ?? ""
            health = Health(rawValue: answer["State"]?["Health"]?["Status"]?.text ?? "") ?? .none
        }
    }
}

extension Container.Port {
    /// Reads `{"PrivatePort": 53, "PublicPort": 5353, "Type": "udp", "IP": "0.0.0.0"}`.
    fileprivate init?(_ entry: JSONNode) {
        guard let number = entry["PrivatePort"]?.port, number > 0,
            let transport = Transport(rawValue: entry["Type"]?.text ?? "tcp")
        else { return nil }
        let published = entry["PublicPort"]?.port.flatMap { $0 > 0 ? $0 : nil }
        let address = entry["IP"]?.text.flatMap { IPAddress($0) }.flatMap { $0.isWildcard ? nil : $0 }
        self.init(number: number, transport: transport, published: published, address: address)
    }

    /// Reads `53/udp`.
    init?(exposed text: String) {
        let parts = text.split(separator: "/", maxSplits: 1)
        guard let number = parts.first.flatMap({ UInt16($0) }), number > 0,
            let transport = Transport(rawValue: parts.count == 2 ? String(parts[1]) : "tcp")
        else { return nil }
        self.init(number: number, transport: transport, published: nil, address: nil)
    }
}
