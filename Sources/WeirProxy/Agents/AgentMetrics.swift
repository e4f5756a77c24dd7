#if TLS
import NetworkTypes
import Threading
import WeirAgent
import WeirMetrics
import WeirStream

/// Counts what happens to the tunnels of one agent. Tunnels hold it, and so its series stay as long as one lives.
final class AgentMetrics: AgentObserver {
    private let registration: RouteRegistration
    private let labels: [String]
    /// The resumed ones last.
    private let handshakes: [Counter]
    private let failures: LabelCounters<AgentFailure>
    private let duration: Histogram
    private let tunnels: Gauge
    private let probes: LabelCounters<AgentProbeResult>
    /// Nil until a probe has found something, and again once the agent is configured no more.
    private let up = Lock<(registration: RouteRegistration, gauge: Gauge)?>(nil)
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

    /// Takes in the result of a probe; nil is a success. Any thread.
    func probed(_ failure: AgentFailure?) {
        probes[failure.map { AgentProbeResult($0) } ?? .success].add()
        up.withLock { up in
            if up == nil {
                let registration = RouteRegistration(registry)
                up = (registration, registration.gauge(MetricCatalogue.agentUp, labels))
            }
            up?.gauge.set(failure == nil ? 1 : 0)
        }
    }

    /// The agent is configured no more.
    func retire() {
        up.withLock { up in
            up?.registration.group.retire()
            up = nil
        }
    }
}
#endif
