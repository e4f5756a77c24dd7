/// A host and port that an agent dials on behalf of this process. The ``Upstream`` that has it names the agent's own
/// endpoint.
public struct AgentDestination: Hashable, Sendable {
    /// The agent's name in the configuration.
    public let agent: String
    /// The host, as the agent is asked for it: a name is resolved there.
    public let host: UpstreamHost
    /// The port.
    public let port: UInt16
    /// Whether the port is the same for the clients of every listener of a stream (``StreamListener/portShift``).
    public let isPortFixed: Bool

    /// Joins the parts.
    /// - Throws: ``EndpointError/invalidUpstream(_:)`` for a Unix socket, and for what is no ``Upstream`` either.
    public init(_ host: UpstreamHost, port: UInt16, isPortFixed: Bool, agent: String) throws(EndpointError) {
        guard host.unixPath == nil else { throw .invalidUpstream(host.description) }
        _ = try Upstream(host, port: port)
        self.agent = agent
        self.host = host
        self.port = port
        self.isPortFixed = isPortFixed
    }

    /// The destination for the clients of a listener; itself where its port is fixed, or the shifted port would be 0.
    func shifted(by portShift: UInt16) -> AgentDestination {
        guard !isPortFixed,
            let shifted = try? AgentDestination(host, port: port &+ portShift, isPortFixed: false, agent: agent)
        else { return self }
        return shifted
    }
}

extension AgentDestination: CustomStringConvertible {
    /// `127.0.0.1:22 via edge-1`: the text that labels and logs carry.
    public var description: String { "\(host.bracketed):\(port) via \(agent)" }
}
