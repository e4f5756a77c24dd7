import LinuxIO
import NetworkTypes
import WeirStream

extension TunnelRequest {
    /// The request for a client's connection. A client without an IP address is not told.
    init(_ session: TunnelSessionRequest) {
        self.init(to: session.destination, timeLeft: session.timeLeft)
        if session.clientAddress.isUnix || session.localAddress.isUnix { return }
        client = ProxyHeader.Addresses(source: session.clientAddress, destination: session.localAddress)
    }

    /// The request for a connection that belongs to no client.
    init(to destination: AgentDestination, timeLeft: Duration) {
        // An ``AgentDestination`` has what an ``Upstream`` may have.
        let upstream = try? Upstream(destination.host, port: destination.port)
        self.init(upstream.map { .dial($0) } ?? .probe, timeLeft: timeLeft)
    }
}

extension AgentFailure {
    /// The reason for an agent that could not be connected.
    init(_ failure: DialFailure) {
        switch failure {
        case .refused: self = .refused
        case .timeout: self = .timeout
        case .unreachable: self = .unreachable
        case .reset: self = .reset
        case .dnsNotFound, .dnsTimeout, .dnsFailure: self = .dns
        case .descriptorLimit, .addressUnavailable, .permission, .loop, .tls, .agent, .agentDenied, .canceled, .other:
            self = .other
        }
    }
}

extension TunnelStatus {
    /// The failure of the dial at the agent; ``DialFailure/agent`` where the agent did not dial. Nil for ``ok``.
    var dialFailure: DialFailure? {
        switch self {
        case .ok: nil
        case .refused: .refused
        case .timeout: .timeout
        case .unreachable: .unreachable
        case .dns: .dnsFailure
        case .denied: .agentDenied
        case .reset: .reset
        case .limit, .malformed, .version, .checksum, .draining: .agent
        case .other: .other
        }
    }

    /// The reason where the agent took no tunnel; nil where it did, whatever became of its dial.
    var agentFailure: AgentFailure? {
        switch self {
        case .limit: .limit
        case .malformed: .malformed
        case .version: .version
        case .checksum: .checksum
        case .draining: .draining
        case .ok, .refused, .timeout, .unreachable, .dns, .denied, .reset, .other: nil
        }
    }
}
