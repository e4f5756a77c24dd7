import WeirStream

// Closed enumerations: each raw value is a metric label and the word in the log.

/// The state of a member. Where several apply, the last one in this order is it.
public enum MemberState: String, CaseIterable, Sendable {
    /// It takes clients.
    case up
    /// Its connections failed. It takes no clients until its time is over.
    case ejected
    /// A check, or the container engine, found it down.
    case down
    /// It takes no new clients, by configuration or by command.
    case draining
}

/// The cause of a change of state.
public enum StateChangeCause: String, CaseIterable, Sendable {
    /// A health check found it down, or up again.
    case check
    /// Dials failed in a row.
    case dialFailed = "dial_failed"
    /// It reset connections before their first byte of egress, in a row.
    case reset
    /// It left questions unanswered, in a row, in sessions that it had answered before (UDP).
    case unanswered
    /// The network reported errors before an answer, in a row (UDP, ICMP).
    case networkError = "network_error"
    /// The container engine reported it down, or up again.
    case engine
    /// The configuration or a command changed its drain.
    case admin
    /// The time of its ejection is over, or it was the last member that could be up.
    case recovered
}

/// The failures for which a member is ejected.
public enum EjectionReason: String, CaseIterable, Sendable {
    /// Dials failed in a row.
    case dialFailed = "dial_failed"
    /// It reset connections before their first byte of egress.
    case reset
    /// It left questions unanswered (UDP).
    case unanswered
    /// The network reported errors before an answer (UDP).
    case networkError = "network_error"

    /// The cause that a change of state has for this reason.
    public var cause: StateChangeCause {
        switch self {
        case .dialFailed: .dialFailed
        case .reset: .reset
        case .unanswered: .unanswered
        case .networkError: .networkError
        }
    }

    /// The reason with this cause; nil where the cause ejects no member.
    public init?(_ cause: StateChangeCause) {
        guard let reason = Self.allCases.first(where: { $0.cause == cause }) else { return nil }
        self = reason
    }
}

/// The reason why a choice was another one than the policy prefers.
public enum FallbackReason: String, CaseIterable, Sendable {
    /// No member but backups was left.
    case backup
    /// No member was up.
    case noneUp = "none_up"
    /// The preferred member has reached its limit of connections.
    case limit
}

extension DialFailure {
    /// Whether the failure is the upstream's own, and so counts for its ejection. Failures of this machine and of the
    /// client never do.
    var isOfUpstream: Bool {
        switch self {
        case .refused, .timeout, .unreachable, .reset, .tls, .agent, .dnsNotFound, .dnsTimeout, .dnsFailure: true
        // What an agent allows is a matter of its configuration, not of its health.
        case .agentDenied, .descriptorLimit, .addressUnavailable, .permission, .loop, .canceled, .other: false
        }
    }
}
