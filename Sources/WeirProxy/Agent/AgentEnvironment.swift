import LinuxIO
import Threading
public import WeirConfiguration
import WeirExporter

// The environment of GoDoxy's agent, for what `agent:` of a file leaves out.

extension ConfigurationFragment {
    /// The fragment with what its `agent:` leaves out and the environment has. Without `agent:` it stays as it is.
    public func completingAgent(from environment: [String: String]) -> ConfigurationFragment {
        guard let root, case .mapping(var entries) = root.content,
            let index = entries.firstIndex(where: { $0.key == "agent" }),
            case .mapping(let present) = entries[index].value.content
        else { return self }
        let variables = AgentEnvironment(environment)
        let missing = variables.entries(at: entries[index].keyOrigin).filter { entry in
            !present.contains { $0.key == entry.key }
        }
        guard !missing.isEmpty else { return self }
        let agent = ConfigurationNode(origin: entries[index].value.origin, content: .mapping(present + missing))
        entries[index] = ConfigurationNode.Entry(
            key: "agent", keyOrigin: entries[index].keyOrigin, value: agent)
        var diagnostics = diagnostics
        if variables.hasAuthorityKey, missing.contains(where: { $0.key == "ca" }) {
            diagnostics.append(
                Diagnostic(
                    origin: agent.origin, severity: .warning,
                    message: "`AGENT_CA_CERT` holds a private key of the authority, which an agent does not need: who "
                        + "reads it can make clients of this agent. Leave its part behind the `;` empty"))
        }
        return ConfigurationFragment(
            root: ConfigurationNode(origin: root.origin, content: .mapping(entries)), diagnostics: diagnostics)
    }
}

/// The agent as the environment describes it. Certificates stand there as text: base64 of PEM, and behind a `;` that of
/// the key.
private struct AgentEnvironment {
    private let name: String?
    private let port: String?
    private let authority: [UInt8]?
    private let certificate: [UInt8]?
    private let key: [UInt8]?
    /// Whether the authority's key lies there, too.
    let hasAuthorityKey: Bool

    private static let prefixes = ["", "GODOXY_", "GOPROXY_"]

    init(_ environment: [String: String]) {
        func value(_ name: String) -> String? {
            Self.prefixes.lazy.compactMap { environment[$0 + name] }.first { !$0.isEmpty }
        }
        func parts(_ name: String) -> [[UInt8]?] {
            let halves = value(name)?.split(separator: ";", maxSplits: 1, omittingEmptySubsequences: false) ?? []
            return halves.map { $0.isEmpty ? nil : Base64.decode(Array($0.utf8)) } + [nil, nil]
        }
        name = value("AGENT_NAME")
        port = value("AGENT_PORT")
        let (authorities, own) = (parts("AGENT_CA_CERT"), parts("AGENT_SSL_CERT"))
        authority = authorities[0]
        hasAuthorityKey = authorities[1] != nil
        certificate = own[0]
        key = own[1]
    }

    /// The keys of `agent:` that the environment has, each as if it stood at `origin`.
    func entries(at origin: Origin) -> [ConfigurationNode.Entry] {
        let values: [(String, String?)] = [
            ("name", name), ("listen", port.map { "[::]:\($0)" }), ("ca", authority.flatMap(MemoryFiles.path)),
            ("certificate", certificate.flatMap(MemoryFiles.path)), ("key", key.flatMap(MemoryFiles.path)),
        ]
        return values.compactMap { key, text in
            text.map { text in
                let node = ConfigurationNode(origin: origin, content: .scalar(text: text, written: text))
                return ConfigurationNode.Entry(key: key, keyOrigin: origin, value: node)
            }
        }
    }
}

/// Files in memory for certificates of the environment, each made once for the life of the process.
private enum MemoryFiles {
    private static let paths = Lock<[[UInt8]: String]>([:])

    /// The path of a file with these bytes; nil where there is no memory.
    static func path(_ bytes: [UInt8]) -> String? {
        paths.withLock { paths in
            if let known = paths[bytes] { return known }
            guard let file = try? FileDescriptor(inMemory: bytes) else { return nil }
            let path = "/proc/self/fd/\(file.release())"
            paths[bytes] = path
            return path
        }
    }
}
