import NetworkTypes
import WeirStream

extension TunnelStatus {
    /// The status that answers the end of a dial. `refusal` is that of a hook.
    init(_ end: DialEnd, refusal: TunnelStatus?) {
        switch end {
        case .connected: self = .ok
        case .failed(let failure): self.init(failure)
        case .rejected(let reason): self = refusal ?? TunnelStatus(reason)
        case .drained: self = .draining
        }
    }

    private init(_ failure: DialFailure) {
        switch failure {
        case .refused: self = .refused
        case .timeout: self = .timeout
        case .unreachable: self = .unreachable
        case .reset: self = .reset
        case .dnsNotFound, .dnsTimeout, .dnsFailure: self = .dns
        case .descriptorLimit, .addressUnavailable: self = .limit
        // A listening address of the agent itself.
        case .loop, .permission, .agentDenied: self = .denied
        case .tls, .agent, .canceled, .other: self = .other
        }
    }

    private init(_ reason: RejectReason) {
        switch reason {
        case .acl, .loop, .destination: self = .denied
        case .routeLimit, .sessionLimit, .perIPLimit, .rateLimit, .upstreamLimit: self = .limit
        case .draining: self = .draining
        case .probe: self = .ok
        // A lookup that took too long.
        case .hook: self = .timeout
        case .noUpstream, .proxyProtocol, .tls: self = .other
        }
    }
}

extension TunnelResult {
    /// The result that a status tells of.
    init(_ status: TunnelStatus) {
        switch status {
        case .ok: self = .ok
        case .denied: self = .denied
        case .malformed: self = .malformed
        case .version: self = .version
        case .checksum: self = .checksum
        case .refused, .timeout, .unreachable, .dns, .limit, .reset, .draining, .other: self = .dialFailed
        }
    }
}
