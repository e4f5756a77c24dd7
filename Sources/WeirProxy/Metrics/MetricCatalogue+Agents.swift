import NetworkTypes
import WeirMetrics

// Families of agents that routes dial through; without agents there are none of these series.

extension MetricCatalogue {
    private static let agent = MetricDeclaration.Label.of("agent", [])

    static let agentUp = MetricDeclaration.gauge(
        "agent_up", "1 where the last probe found that the agent takes tunnels, 0 where it did not; forbids no dial.",
        [agent, .transport])
    static let agentProbes = MetricDeclaration.counter(
        "agent_probes_total", "Probes of agents, by what they found.",
        [agent, .transport, .of("result", AgentProbeResult.self)])
    static let agentHandshakes = MetricDeclaration.counter(
        "agent_handshakes_total", "Tunnels that agents have taken, whatever became of their own dials.",
        [agent, .transport, .of("resumed", ["false", "true"])])
    static let agentFailures = MetricDeclaration.counter(
        "agent_handshake_failures_total", "Tunnels that could not be had; the dials failed as agent.",
        [agent, .transport, .of("reason", AgentFailure.self)])
    static let agentDuration = MetricDeclaration.histogram(
        "agent_handshake_duration_seconds", "Time of TLS handshakes of tunnels that agents have taken.",
        [agent, .transport], microseconds: Buckets.dial)
    static let agentTunnels = MetricDeclaration.gauge(
        "agent_tunnels_active", "Tunnels that carry a connection.", [agent, .transport])

    static let agents = [agentUp, agentProbes, agentHandshakes, agentFailures, agentDuration, agentTunnels]
}

/// The result of a probe of an agent.
enum AgentProbeResult: String, LabelValue {
    /// The agent takes tunnels.
    case success
    /// It could not be reached: no connection, no address, no answer in time.
    case unreachable
    /// TLS could not be agreed on, or one side does not take the other's certificate.
    case tls
    /// It took the connection, and refused the tunnel.
    case refused
    /// What answers there is no agent.
    case unexpected

    /// The result for an agent that took no tunnel.
    init(_ failure: AgentFailure) {
        switch failure {
        case .refused, .unreachable, .reset, .dns, .timeout, .closed: self = .unreachable
        case .unknownAuthority, .expired, .name, .version, .cipher, .rejected, .alert: self = .tls
        case .limit, .draining, .malformed, .checksum: self = .refused
        case .alpn, .protocol, .other: self = .unexpected
        }
    }
}
