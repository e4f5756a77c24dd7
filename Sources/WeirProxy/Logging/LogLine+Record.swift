import LinuxIO
import NetworkTypes
import WeirAccess

extension LogLine {
    /// The line of a record. `suppressed` is how many of its kind were held back before it.
    static func bytes(
        of record: LogRecord, route: LogRoute, format: LogFormat, suppressed: UInt64 = 0
    ) -> [UInt8] {
        let (message, action) = words(for: record.fact, isTCP: route.transport == "tcp")
        var line = LogLine(format, time: record.time, level: record.fact.level, message: message)
        line.add("protocol", route.transport)
        // Before the choice there is neither.
        if !route.name.isEmpty { line.add("route", route.name) }
        line.add("listen", route.listen)
        if !route.name.isEmpty { line.add("dst", route.destination) }
        line.add("action", action)
        if record.id != 0 { line.add("id", String(record.id, radix: 16)) }
        if let client = record.client { line.add("client", client.description) }
        line.addDetails(of: record, route: route)
        if let session = record.session {
            if record.fact.tellsSession { line.add(session) }
        } else if let name = record.serverName, !name.isEmpty, record.fact.tellsServerName {
            line.add("sni", fromPeer: String(decoding: name, as: UTF8.self))
        }
        if suppressed > 0 { line.add("suppressed", suppressed) }
        return line.finish()
    }

    /// The message of its line.
    static func message(of fact: LogRecord.Fact, isTCP: Bool) -> String { words(for: fact, isTCP: isTCP).message }

    private static func words(for fact: LogRecord.Fact, isTCP: Bool) -> (message: String, action: String) {
        switch fact {
        case .opened: isTCP ? ("connection accepted", "accept") : ("session opened", "open")
        case .proxied: ("client behind a proxy", isTCP ? "accept" : "open")
        case .headerFailed: ("PROXY header refused", isTCP ? "accept" : "open")
        case .dialed: ("dialed", "dial")
        case .rejected: (isTCP ? "connection rejected" : "session rejected", "reject")
        case .connectionClosed: ("connection closed", "closed")
        case .sessionClosed: ("session closed", "closed")
        case .dialFailed: ("dial failed", "dial")
        case .upstreamFailed: ("upstream reported an error", "forward")
        case .timedOut: ("timer fired", "timeout")
        case .acceptFailed: ("accept failed", "accept")
        case .acceptPaused: ("accepting paused until descriptors or connections are free", "accept")
        case .resolveFailed: ("upstream name not resolved", "resolve")
        case .decided(let decision):
            decision.action == .allow ? ("client allowed", "allow") : ("client denied", "deny")
        case .undecided: ("client refused before a route was chosen", "reject")
        case .behindGateway:
            (
                "every client so far has the same private address: if that is a NAT gateway or a container bridge, "
                    + "allow_local lets in everybody", "accept"
            )
        }
    }

    private mutating func addDetails(of record: LogRecord, route: LogRoute) {
        switch record.fact {
        case .opened: break
        case .proxied(let peer): add("peer", peer.description)
        case .headerFailed(let reason, let excerpt):
            add("reason", reason.rawValue)
            if excerpt.count > 0 { add("header", excerpt.description) }
        case .dialed(let upstream, let nanoseconds):
            addUpstream(record.upstreamAddress, index: upstream, route: route)
            add("duration", nanoseconds: nanoseconds)
        case .rejected(let reason): add("reason", reason.rawValue)
        case .undecided(let reason): add("reason", reason.rawValue)
        case .connectionClosed(let reason, let flow):
            addUpstream(record.upstreamAddress, index: record.upstream, route: route)
            add("reason", reason.rawValue)
            add(flow, withDatagrams: false)
        case .sessionClosed(let reason, let flow):
            addUpstream(record.upstreamAddress, index: record.upstream, route: route)
            add("reason", reason.rawValue)
            add(flow, withDatagrams: true)
        case .dialFailed(let upstream, let reason, let error):
            addUpstream(nil, index: upstream, route: route)
            add("reason", reason.rawValue)
            if let error { add("error", error.description) }
        case .upstreamFailed(let upstream, let reason):
            addUpstream(nil, index: upstream, route: route)
            add("reason", reason.rawValue)
        case .timedOut(let kind): add("kind", kind.rawValue)
        case .acceptFailed(let reason, let error):
            add("reason", reason.rawValue)
            add("error", error.description)
        case .acceptPaused, .behindGateway: break
        case .decided(let decision):
            add(decision, of: route)
            // No upstream is chosen yet.
            if let agent = route.onlyAgent { add("agent", agent) }
        case .resolveFailed(let upstream, let reason):
            addUpstream(nil, index: upstream, route: route)
            add("reason", reason.rawValue)
        }
    }

    private mutating func add(_ session: SecureSessionFacts) {
        add("tls", session.version.rawValue)
        add("resumed", session.isResumed)
        if !session.serverName.isEmpty { add("sni", fromPeer: session.serverName) }
        if !session.applicationProtocol.isEmpty { add("alpn", fromPeer: session.applicationProtocol) }
        if let peer = session.peer, !peer.name.isEmpty { add("client_name", fromPeer: peer.name) }
    }

    private mutating func add(_ decision: AccessDecision, of route: LogRoute) {
        if let (text, origin) = route.rules?.name(of: decision) {
            add("rule", text)
            if let origin { add("list", origin) }
        }
        add("rule_kind", decision.kind.rawValue)
        add("scope", decision.step.scope.rawValue)
    }

    /// The address that was dialed; where there is none, or it is that of an agent, the upstream as it was configured.
    private mutating func addUpstream(_ address: SocketAddress?, index: Int32, route: LogRoute) {
        let index = route.upstreams.count == 1 ? 0 : Int(index)
        let agent = route.agents[index]
        // A Unix socket has no address: the upstream's own text names it.
        if let address, !address.isUnix, agent == nil {
            add("upstream", address.description)
        } else if route.upstreams.indices.contains(index) {
            add("upstream", route.upstreams[index])
        } else if let address {
            add("upstream", address.description)
        }
        if let agent { add("agent", agent) }
    }

    private mutating func add(_ flow: LogRecord.Flow, withDatagrams: Bool) {
        add("duration", nanoseconds: flow.nanoseconds)
        add("ingress_bytes", flow.ingressBytes)
        add("egress_bytes", flow.egressBytes)
        guard withDatagrams else { return }
        add("ingress_datagrams", flow.ingressDatagrams)
        add("egress_datagrams", flow.egressDatagrams)
    }
}
