import NetworkTypes

/// Gives each upstream the agent that dials it, and checks that what the route asks of it can be had.
func resolveAgents(
    of drafts: inout [RouteDraft], _ agents: [AgentConfiguration], isKnown: Bool, diagnostics: Diagnostics
) {
    let known = Dictionary(agents.map { ($0.name, $0.address) }, uniquingKeysWith: { first, _ in first })
    for index in drafts.indices where drafts[index].has("host", "upstreams", "agent") {
        let draft = drafts[index]
        let origins = draft.agentOrigins
        for (place, upstream) in draft.route.upstreams.enumerated() {
            // The address of a container is on a network of its engine.
            let name = upstream.isTransient ? nil : upstream.agent ?? draft.route.agent
            // `off` is an empty name.
            drafts[index].route.upstreams[place].agent = name?.isEmpty == false ? name : nil
            guard let name, !name.isEmpty, let origin = origins[place] else { continue }
            guard let address = known[name] else {
                if isKnown { tellUnknown(name, agents, of: draft, at: origin, diagnostics) }
                drafts[index].faults.insert("agent")
                continue
            }
            drafts[index].route.agentAddresses[name] = address
            guard let problem = problem(of: upstream, draft) else { continue }
            drafts[index].faults.insert("agent")
            diagnostics.error(origin, "route \(quoted(draft.name)): \(problem)")
        }
        tellTwins(of: &drafts[index], diagnostics)
        if !drafts[index].has("agent") { drafts[index].isComplete = false }
    }
}

/// Two upstreams may be equal only now that each has its agent.
private func tellTwins(of draft: inout RouteDraft, _ diagnostics: Diagnostics) {
    guard draft.route.agent != nil else { return }
    var seen: Set<String> = []
    for (upstream, origin) in zip(draft.route.upstreams, draft.targetOrigins) {
        let text = upstream.text(targetPorts: draft.route.targetPorts).lowercased()
        if seen.insert(text).inserted { continue }
        diagnostics.error(
            origin, "`upstreams`: \(quoted(text)) is named twice; give one of them a `name` of its own")
        draft.faults.insert("agent")
    }
}

private func tellUnknown(
    _ name: String, _ agents: [AgentConfiguration], of draft: RouteDraft, at origin: Origin, _ diagnostics: Diagnostics
) {
    let names = agents.map(\.name)
    let found = names.isEmpty ? "there are none" : "found \(names.prefix(10).map(quoted).joined(separator: ", "))"
    diagnostics.error(
        origin,
        "route \(quoted(draft.name)): expected `agent` to be one of `agents`, and \(quoted(name)) is not: \(found)",
        suggestion: nearMiss(of: name, among: names))
}

/// The reason why an agent cannot dial an upstream for a route.
private func problem(of upstream: UpstreamConfiguration, _ draft: RouteDraft) -> String? {
    let route = draft.route
    if route.transport == .udp {
        return "`agent` carries TCP in this version; UDP comes with DTLS. Set `agent: off`, or `scheme: tcp`"
    }
    if upstream.isService {
        return "`agent` stands beside `srv`: the records of a service are looked up here, and an agent resolves names "
            + "itself"
    }
    if let path = upstream.host.unixPath {
        return "an agent dials hosts and ports, and \(quoted("\(path)")) is a Unix socket; set `agent: off` for it"
    }
    if route.upstreamTLS != nil {
        return "`agent` stands beside `upstream_tls`: a tunnel is a session of TLS itself and carries no second one of "
            + "Weir's own. Leave `upstream_tls` and `tls` out, so that clients speak TLS with the upstream through the "
            + "tunnel, or have another Weir beside the upstream speak it"
    }
    if route.claims.startTLS != nil {
        return "`agent` stands beside `starttls`: a tunnel is a session of TLS itself and carries no second one of "
            + "Weir's own. Leave `starttls`, `tls` and `upstream_tls` out, so that clients encrypt up to the upstream"
    }
    if route.checkTLS != nil {
        return "`agent` stands beside a check that speaks TLS: a tunnel is a session of TLS itself and carries no "
            + "second one of Weir's own. Expected `check: tcp`, which asks whether the agent can connect"
    }
    return nil
}

extension RouteDraft {
    /// The origin of each upstream's agent: at the upstream, or at the route.
    fileprivate var agentOrigins: [Origin?] {
        let own = origin(of: "agent")
        guard case .sequence(let items)? = fields["upstreams"]?.content, items.count == route.upstreams.count else {
            let mapping = fields["upstreams"]?["agent"]?.origin
            return route.upstreams.map { _ in mapping ?? own ?? origin }
        }
        return items.map { $0["agent"]?.origin ?? own ?? origin }
    }
}
