#if TLS
import LinuxIO
import Logging
import NetworkTypes
import Threading
import WeirAgent
import WeirConfiguration
import WeirStream

/// Asks agents again and again whether they take tunnels, each on a plain thread of its own for as long as that takes.
actor AgentProbes {
    private struct Running {
        let configuration: AgentConfiguration
        let task: Task<Void, Never>
    }

    private let logger: Logger
    private var running: [String: Running] = [:]

    init(logger: Logger) {
        self.logger = logger
    }

    /// Probes these agents, and no others. The probes of those that stay the same go on undisturbed.
    func follow(_ agents: [AgentStore.Agent]) {
        let wanted = Dictionary(agents.map { ($0.configuration.name, $0) }, uniquingKeysWith: { first, _ in first })
        for (name, known) in running where wanted[name]?.configuration != known.configuration {
            known.task.cancel()
            running[name] = nil
        }
        for (name, agent) in wanted where running[name] == nil {
            running[name] = Running(configuration: agent.configuration, task: Task { await self.probe(agent) })
        }
    }

    /// Ends all probes. One that is under way is not waited for.
    func stop() { follow([]) }

    private func probe(_ agent: AgentStore.Agent) async {
        let (address, times) = (agent.configuration.address, agent.configuration.probe)
        var last: AgentCall.Outcome?
        let clock = ContinuousClock()
        var next = clock.now
        while (try? Task.checkCancellation()) != nil {
            let outcome = await AgentCalls.probe(agent.client, at: address, timeout: times.timeout)
            if (try? Task.checkCancellation()) == nil { return }
            agent.metrics.take(outcome, at: address)
            if last != outcome { log(outcome, of: agent.configuration) }
            last = outcome
            next = max(next + times.interval, clock.now)
            guard (try? await clock.sleep(until: next, tolerance: .zero)) != nil else { return }
        }
    }

    private func log(_ outcome: AgentCall.Outcome, of agent: AgentConfiguration) {
        var fields: Logger.Metadata = ["agent": "\(agent.name)", "dst": "\(agent.address)"]
        if let agreed = outcome.tunnelProtocol { fields["alpn"] = "\(agreed.rawValue)" }
        if let reason = outcome.agentFailure {
            fields["reason"] = "\(reason.rawValue)"
            logger.warning("agent takes no tunnels", metadata: fields)
        } else {
            logger.info("agent takes tunnels", metadata: fields)
        }
    }
}

/// Calls of agents, each on a plain thread: look-ups of names and the waits block.
enum AgentCalls {
    static func probe(_ client: AgentClient, at address: AgentAddress, timeout: Duration) async -> AgentCall.Outcome {
        await onThread(unstarted: .other) {
            guard let found = resolve(address) else { return outcome(.dns) }
            return AgentCall.probe(client, at: found, timeout: timeout)
        }
    }

    /// Whether a connection to a destination behind an agent was made and stayed open for a while.
    static func staysOpen(
        _ client: AgentClient, _ upstream: Upstream, limit: Duration, openTime: Duration
    ) async -> Bool {
        guard let destination = upstream.behindAgent else { return true }
        let address = AgentAddress(upstream.host, port: upstream.port)
        let found = await onThread(unstarted: nil) {
            guard let found = resolve(address) else { return outcome(.dns) }
            return AgentCall.connect(client, at: found, to: destination, timeout: limit, openTime: openTime)
        }
        return found.dialFailure == nil && found.agentFailure == nil
    }

    private static func outcome(_ failure: AgentFailure) -> AgentCall.Outcome {
        var outcome = AgentCall.Outcome()
        outcome.agentFailure = failure
        return outcome
    }

    private static func onThread(
        unstarted: AgentFailure?, _ body: @escaping @Sendable () -> AgentCall.Outcome
    ) async -> AgentCall.Outcome {
        await withCheckedContinuation { continuation in
            do throws(SystemError) {
                try Thread.start(name: "weir-agent") { continuation.resume(returning: body()) }
            } catch {
                var outcome = AgentCall.Outcome()
                outcome.agentFailure = unstarted
                continuation.resume(returning: outcome)
            }
        }
    }

    private static func resolve(_ address: AgentAddress) -> SocketAddress? {
        switch address.host {
        case .address(let literal): return SocketAddress(resolving: literal, port: address.port)
        case .name(let name):
            guard let found = (try? AddressLookup.resolve(name))?.first else { return nil }
            return SocketAddress(found.ip, port: address.port, scope: found.scope)
        case .unix: return nil
        }
    }
}
#endif
