/// The reason why no tunnel to an agent could be had. Each raw value is a metric label and the word in the log.
public enum AgentFailure: String, CaseIterable, Sendable {
    /// No process listens at the agent's address.
    case refused
    /// The network has no route to the agent.
    case unreachable
    /// The connection was reset.
    case reset
    /// The agent's name has no address, or no name server told it.
    case dns
    /// The agent did not answer in time.
    case timeout
    /// The agent closed the connection before it answered.
    case closed
    /// The agent's certificate comes from another authority.
    case unknownAuthority = "unknown_ca"
    /// The agent's certificate has ended, or has not begun.
    case expired
    /// The agent's certificate is for another name.
    case name
    /// No version of TLS, or of the request, in common.
    case version
    /// No cipher, group or signature in common.
    case cipher
    /// The agent does not take our certificate.
    case rejected
    /// The peer carries no tunnels: it agrees to none of their protocols (ALPN).
    case alpn
    /// The agent ended the handshake with another alert.
    case alert
    /// The agent has reached a limit of its own.
    case limit
    /// The agent is ending.
    case draining
    /// The agent finds the request malformed.
    case malformed
    /// The agent finds another checksum than that of the request.
    case checksum
    /// The peer's bytes break the rules of TLS, or of tunnels.
    case `protocol`
    /// Anything else.
    case other
}

extension AgentFailure {
    /// The reason for a failed handshake, in which the peer may have sent a fatal alert.
    public init(_ failure: TLSFailure, alert: UInt8) {
        switch failure {
        case .unknownAuthority: self = .unknownAuthority
        case .expired: self = .expired
        case .name: self = .name
        case .version: self = .version
        case .cipher: self = .cipher
        case .alert: self = AgentFailure(alert: alert)
        case .timeout: self = .timeout
        case .closed: self = .closed
        case .protocol: self = .protocol
        case .noCertificate, .other: self = .other
        }
    }

    /// The reason for a fatal alert (RFC 8446 section 6.2).
    public init(alert: UInt8) {
        switch alert {
        case 40, 71: self = .cipher
        // Bad, unsupported, revoked, expired, unknown and missing certificates, unknown authority, access denied.
        case 42...46, 48, 49, 116: self = .rejected
        case 70: self = .version
        case 120: self = .alpn
        default: self = .alert
        }
    }
}
