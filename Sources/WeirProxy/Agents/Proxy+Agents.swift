import WeirConfiguration
import WeirHealth
import WeirStream

// The agents that routes dial through.

extension Proxy {
    #if TLS
    /// Reads the files that a configuration's agents need.
    func prepareAgents(_ new: Configuration) throws(ProxyError) {
        do throws(TLSFileError) {
            try agents.prepare(new, workers: workerCount, registry: components.registry)
        } catch {
            throw .certificate(error.text)
        }
    }

    /// Follows the agents of the configuration that is in use now.
    func takeAgents() async {
        agents.take(configuration)
        // Before the metrics of agents that are gone: the end of a probe would bring `weir_agent_up` back.
        let followed = agents.agents(of: configuration)
        await agentProbes.follow(followed)
        agents.forget(except: configuration)
        components.live.update { state in
            state.agents = { followed.map { $0.metrics.live($0.configuration) } }
        }
    }

    /// Adds the tunnels of a route whose upstreams are behind agents.
    func addTunnels(of route: RouteConfiguration, to hooks: inout StreamHooks) {
        let names = Set(route.upstreams.compactMap(\.agent))
        if names.isEmpty { return }
        let clients = agents.clientsByName.filter { names.contains($0.key) }
        hooks.tunnel = { upstream, worker in
            upstream.behindAgent.flatMap { clients[$0.agent] }?.tunnel(worker: worker)
        }
    }
    #else
    func prepareAgents(_ new: Configuration) throws(ProxyError) {
        if new.agents.isEmpty { return }
        throw .certificate("this program was built without the package trait `TLS`")
    }

    func takeAgents() async {}

    func addTunnels(of route: RouteConfiguration, to hooks: inout StreamHooks) {}
    #endif

    /// Makes the way of health checks to upstreams behind agents.
    var checkCarrier: @Sendable (Upstream, HealthCheck) -> CheckCarrier? {
        #if TLS
        let clients = agents.clientsByName
        return { upstream, check in
            guard let destination = upstream.behindAgent, let client = clients[destination.agent] else { return nil }
            return AgentCheck.carrier(client, destination, check)
        }
        #else
        return { _, _ in nil }
        #endif
    }

    /// Whether a connection to a suspected upstream was made and stayed open.
    func staysOpen(_ upstream: Upstream, of route: RouteConfiguration) async -> Bool {
        #if TLS
        if let name = upstream.behindAgent?.agent {
            guard let client = agents.client(named: name) else { return true }
            return await AgentCalls.staysOpen(
                client, upstream, limit: SuspectProbe.connectLimit, openTime: SuspectProbe.openTime)
        }
        #endif
        return await SuspectProbe.connect(to: upstream, from: route.dialFrom)
    }
}
