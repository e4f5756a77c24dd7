import NetworkTypes

/// The outcome of the probes of one agent so far, as an operator gets to see it. Pure.
struct AgentStanding: Sendable, Equatable {
    /// Whether the last probe found that the agent takes tunnels; nil before the first one has ended.
    private(set) var isUp: Bool?
    /// The reason of the last probe's failure; nil where it succeeded.
    private(set) var failure: AgentFailure?
    /// The name of the protocol that the agent agreed on last.
    private(set) var tunnelProtocol: String?
    /// When it began to be up, or down, by the monotonic clock.
    private(set) var changedAt: UInt64 = 0
    /// When the last probe ended, by the monotonic clock.
    private(set) var probedAt: UInt64 = 0
    /// The address that was probed last.
    private var address = ""

    /// Takes in a probe: `failure` is nil for a success, and `tunnelProtocol` where none was agreed on.
    mutating func take(_ failure: AgentFailure?, tunnelProtocol: String?, at address: String, now: UInt64) {
        self = standing(at: address)
        self.address = address
        if isUp != (failure == nil) { changedAt = now }
        isUp = failure == nil
        self.failure = failure
        if let tunnelProtocol { self.tunnelProtocol = tunnelProtocol }
        probedAt = now
    }

    /// The standing of an agent at this address: what was found at another one says nothing.
    func standing(at address: String) -> AgentStanding { address == self.address ? self : AgentStanding() }
}

extension AgentFailure {
    /// The reason in a few words, of which the agent is the subject.
    var words: String {
        switch self {
        case .refused: "nothing listens at its address"
        case .unreachable: "there is no way to its host"
        case .reset: "it resets the connection"
        case .dns: "its name cannot be looked up"
        case .timeout: "it does not answer in time"
        case .closed: "it closes the connection without an answer"
        case .unknownAuthority: "its certificate is of another authority"
        case .expired: "its certificate has ended, or has not begun"
        case .name: "its certificate is for another name"
        case .version: "it speaks another version"
        case .cipher: "it has no cipher in common with this host"
        case .rejected: "it does not take the certificate of this host"
        case .alpn: "what answers there carries no tunnels"
        case .alert: "it ends the handshake with an alert"
        case .limit: "it has reached a limit of its own"
        case .draining: "it is ending"
        case .malformed: "it finds the request malformed"
        case .checksum: "it finds the request damaged"
        case .protocol: "its bytes break the rules of TLS or of tunnels"
        case .other: "another error"
        }
    }
}
