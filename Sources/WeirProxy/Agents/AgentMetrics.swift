#if TLS
import LinuxIO
import NetworkTypes
import Threading
import WeirAgent
import WeirConfiguration
import WeirMetrics
import WeirStream

/// Counts what happens to the tunnels of one agent. Tunnels hold it, and so its series stay as long as one lives.
final class AgentMetrics: AgentObserver {
    private struct Probed {
        /// Nil until a probe has found something, and again once the agent is configured no more.
        var up: (registration: RouteRegistration, gauge: Gauge)?
        var standing = AgentStanding()
    }

    private let registration: RouteRegistration
    private let labels: [String]
    /// The resumed ones last.
    private let handshakes: [Counter]
    private let failures: LabelCounters<AgentFailure>
    private let duration: Histogram
    private let tunnels: Gauge
    private let probes: LabelCounters<AgentProbeResult>
    private let probed = Lock(Probed())
    private let registry: MetricsRegistry

    init(agent: String, registry: MetricsRegistry) {
        self.registry = registry
        registration = RouteRegistration(registry)
        let labels = [agent, Transport.tcp.rawValue]
        self.labels = labels
        let registration = registration
        handshakes = ["false", "true"].map {
            registration.counter(MetricCatalogue.agentHandshakes, labels + [$0])
        }
        failures = LabelCounters(registration, MetricCatalogue.agentFailures, labels: labels, on: .tcp)
        duration = registration.histogram(MetricCatalogue.agentDuration, labels)
        tunnels = registration.gauge(MetricCatalogue.agentTunnels, labels)
        probes = LabelCounters(registration, MetricCatalogue.agentProbes, labels: labels, on: .tcp)
    }

    func handshakeSucceeded(isResumed: Bool, nanoseconds: UInt64, worker: Int) {
        handshakes[isResumed ? 1 : 0].add(shard: worker)
        duration.observe(raw: nanoseconds, shard: worker)
    }

    func handshakeFailed(_ reason: AgentFailure, worker: Int) { failures[reason].add(shard: worker) }

    func tunnelOpened(worker: Int) { tunnels.add(1, shard: worker) }

    func tunnelClosed(worker: Int) { tunnels.add(-1, shard: worker) }

    /// Takes in a probe of the agent at this address. Any thread.
    func take(_ outcome: AgentCall.Outcome, at address: AgentAddress) {
        let failure = outcome.agentFailure
        probes[failure.map { AgentProbeResult($0) } ?? .success].add()
        let now = MonotonicClock.system.nanoseconds
        probed.withLock { probed in
            if probed.up == nil {
                let registration = RouteRegistration(registry)
                probed.up = (registration, registration.gauge(MetricCatalogue.agentUp, labels))
            }
            probed.up?.gauge.set(failure == nil ? 1 : 0)
            probed.standing.take(
                failure, tunnelProtocol: outcome.tunnelProtocol?.rawValue, at: address.description, now: now)
        }
    }

    /// How the agent stands now. Any thread.
    func live(_ agent: AgentConfiguration) -> LiveBoard.Agent {
        let address = agent.address.description
        return LiveBoard.Agent(
            name: agent.name, address: address, standing: probed.withLock { $0.standing.standing(at: address) },
            tunnels: tunnels.value)
    }

    /// The agent is configured no more.
    func retire() {
        probed.withLock { probed in
            probed.up?.registration.group.retire()
            probed.up = nil
        }
    }
}
#endif
