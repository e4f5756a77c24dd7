#if TLS
import LinuxIO
import NetworkTypes
import WeirAgent
import WeirHealth
import WeirStream

/// Health checks of destinations behind an agent: through a tunnel. An agent without ``TunnelProtocol/weir`` does not
/// tell whether it could connect, so there its HTTP API makes the checks that only connect.
enum AgentCheck {
    /// The way of checks to a destination.
    static func carrier(_ client: AgentClient, _ destination: AgentDestination, _ check: HealthCheck) -> CheckCarrier? {
        guard
            let checked = try? AgentDestination(
                destination.host, port: check.port ?? destination.port, isPortFixed: true, agent: destination.agent)
        else { return nil }
        let onlyConnects = check.kind == .tcp
        return CheckCarrier(key: "\(ObjectIdentifier(client)) \(checked)") { timeout in
            if onlyConnects, client.isPlain {
                return AgentHealthRequest(client, checked, timeout: timeout)
            }
            let tunnel = client.makeTunnel(to: checked, timeout: timeout)
            return SecureCheckSession(tunnel) { CheckResult(tunnel.dialFailure) }
        }
    }
}

/// A check that the agent makes: the member is connected where it says so.
private final class AgentHealthRequest: CheckSession {
    private let request: AgentAPIRequest

    init(_ client: AgentClient, _ destination: AgentDestination, timeout: Duration) {
        request = client.makeHealthRequest(of: destination, timeout: timeout)
    }

    func handshake(on socket: borrowing Socket) -> CheckHandshake {
        switch request.advance(on: socket) {
        case .waiting: .waiting
        case .answered(let isHealthy): isHealthy ? .done : .failed(.refused)
        case .failed: .failed(.tls)
        }
    }

    func receive(into buffer: UnsafeMutableRawBufferPointer, from socket: borrowing Socket) -> ReadResult {
        .wouldBlock
    }

    func send(_ bytes: UnsafeRawBufferPointer, to socket: borrowing Socket) -> WriteResult { .wouldBlock }

    func flush(to socket: borrowing Socket) -> SystemError? { nil }

    func finish(on socket: borrowing Socket) { request.finish(on: socket) }
}

extension CheckResult {
    /// The result for a dial through an agent that failed.
    fileprivate init(_ failure: DialFailure) {
        switch failure {
        case .refused: self = .refused
        case .timeout: self = .timeout
        case .unreachable: self = .unreachable
        case .reset: self = .reset
        case .dnsNotFound, .dnsTimeout, .dnsFailure: self = .dns
        case .agent, .tls: self = .tls
        case .agentDenied, .descriptorLimit, .addressUnavailable, .permission, .loop, .canceled, .other:
            self = .unexpected
        }
    }
}
#endif
