#if TLS
import NetworkTypes
import WeirAgent
import WeirConfiguration
import WeirExporter
import WeirStream
import WeirTLS

// The agent: a route whose clients say where they are connected to.

extension Proxy {
    /// Adds the hooks of an agent's route, whose TLS sessions `makeSession` makes. `access` judges the clients that
    /// requests name, by their address and by the names in the certificate of the connection.
    func install(
        _ agent: AgentRoute, of route: RouteConfiguration, _ access: RouteAccess?, in hooks: inout StreamHooks,
        makeSession: @escaping @Sendable (StreamContext) -> TLSSession
    ) {
        let (engine, list) = (components.engine, DestinationList(agent.allow))
        var admit: AgentGate.Admit?
        if let access { admit = { access.review($0, names: $1) } }
        let gate = AgentGate(
            list, maxConnectionsPerCertificate: agent.maxConnectionsPerCertificate, observer: components.agent,
            following: agentGate, admit: admit
        ) { await engine.lookUp($0) }
        components.agent.follow(route.name, DestinationList(agent.checkable))
        gate.install(in: &hooks, makeSession: makeSession)
        agentGate = gate
    }

    /// Has the exporter serve the pages of an agent, for clients that come through its route.
    func serveAgentPages(_ configuration: Configuration) async throws(ProxyError) {
        guard configuration.ownAgent != nil, !servesAgentPages else { return }
        do throws(ExporterError) {
            for (name, path) in Configuration.Agent.pageSockets {
                let clients = UnixListener.Clients.verified(hasPaths: name == Configuration.Agent.pageSockets[0].name)
                try await components.exporter.listen(UnixListener(path: path, clients: clients))
            }
        } catch {
            throw .exporter(error)
        }
        servesAgentPages = true
    }
}
#endif
