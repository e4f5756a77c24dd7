import NetworkTypes

/// An endpoint at which an agent listens.
public struct AgentAddress: Sendable, Hashable, CustomStringConvertible {
    /// The machine: a name or an address.
    public let host: UpstreamHost
    /// The port.
    public let port: UInt16

    /// The port of agents that name none.
    public static let usualPort: UInt16 = 8890

    /// Joins both.
    public init(_ host: UpstreamHost, port: UInt16 = usualPort) {
        self.host = host
        self.port = port
    }

    /// `agent.example.net:8890`.
    public var description: String { "\(host.bracketed):\(port)" }
}

/// An agent on another machine, which dials upstreams there.
public struct AgentConfiguration: Sendable, Hashable {
    /// The times of its probes.
    public struct Probe: Sendable, Hashable {
        /// From the beginning of one to that of the next.
        public var interval = Duration.seconds(15)
        /// For one.
        public var timeout = Duration.seconds(5)

        /// The defaults.
        public init() {}
    }

    /// Its name, which is also the `agent` label.
    public var name: String
    /// Where it listens.
    public var address: AgentAddress
    /// The archive with all three; nil where they are files of their own.
    public var bundle: NamedFile?
    /// The certificate of its authority.
    public var authority: NamedFile?
    /// The certificate that it gets to see.
    public var certificate: NamedFile?
    /// The key of that one.
    public var key: NamedFile?
    /// Its probes.
    public var probe = Probe()

    /// Names an agent; nothing is validated.
    public init(name: String, address: AgentAddress) {
        self.name = name
        self.address = address
    }

    /// The files that its credentials come from: an archive, or authority, certificate and key.
    public var files: [NamedFile] { bundle.map { [$0] } ?? [authority, certificate, key].compactMap(\.self) }

    /// The file whose certificate it gets to see, as labels and messages name it.
    public var certificateText: String { (bundle ?? certificate)?.text ?? "" }
}

extension Configuration {
    /// The agent of that name.
    public func agent(named name: String) -> AgentConfiguration? { agents.first { $0.name == name } }
}
