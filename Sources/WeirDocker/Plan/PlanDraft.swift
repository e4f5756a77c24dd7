import NetworkTypes
import WeirConfiguration

/// A plan in the making: the routes of the containers that were looked at, and a verdict for each of them.
struct PlanDraft {
    /// Why one container is no part of a route.
    private struct Problem: Error {
        let reason: EngineErrorReason
        let origin: Origin
        let message: String

        var line: String { Diagnostic(origin: origin, message: message).description }
    }

    private(set) var routes: [PlannedRoute] = []
    private(set) var verdicts: [ContainerVerdict] = []
    /// The containers that run.
    private var alive: [ContainerKey: Container] = [:]
    /// The engines that were asked, with the addresses of their containers.
    private var engines: [String: MemberAddress] = [:]
    /// Containers that run and have no address.
    private var unreachable: Set<ContainerKey> = []

    private let settings: Configuration.Docker
    private let refusals: ContainerPlanner.Refusals
    /// The containers that are members of routes in force.
    private let incumbents: Set<ContainerKey>
    private let namesOfFile: Set<String>
    /// Ports of TCP listeners of the file, and whether first bytes choose among their routes.
    private let portsOfFile: [(ports: ClosedRange<UInt16>, hasNames: Bool)]
    /// Those that listen on the loopback address, too, and whether routes of labels do.
    private let loopbackPortsOfFile: [ClosedRange<UInt16>]
    private let isOnLoopback: Bool
    private var indices: [String: Int] = [:]
    /// TCP ports of this host that containers on its network are dialed at.
    private var portsOfHost: [ClosedRange<UInt16>] = []

    init(
        _ configuration: Configuration, settings: Configuration.Docker, refusals: ContainerPlanner.Refusals,
        inForce: [PlannedRoute]
    ) {
        self.settings = settings
        self.refusals = refusals
        incumbents = Set(inForce.flatMap(\.members).filter { !$0.isGone }.map(\.key))
        namesOfFile = Set(configuration.routes.map(\.name))
        func isOnLoopback(_ bind: [BindAddress]) -> Bool {
            bind.isEmpty || bind.contains { $0.ip.map { $0.ip.isWildcard || $0.ip.isLoopback } ?? false }
        }
        self.isOnLoopback = isOnLoopback(settings.bind)
        loopbackPortsOfFile = configuration.routes.filter { $0.transport == .tcp && isOnLoopback($0.bind) }.flatMap {
            $0.ports.map(\.listen)
        }
        portsOfFile = configuration.routes.filter { $0.transport == .tcp }.flatMap { route in
            route.ports.map {
                ($0.listen, !route.claims.serverNames.isEmpty || !route.claims.protocols.isEmpty)
            }
        }
    }

    /// Looks at the containers of one engine: first those that are members already, then by their age.
    mutating func add(_ snapshot: EngineSnapshot) {
        let addresses = MemberAddress(
            snapshot: snapshot, settings: settings,
            containers: Dictionary(snapshot.containers.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first }))
        engines[snapshot.engine] = addresses
        func rank(_ container: Container) -> (Int, Int, String) {
            let isIncumbent = incumbents.contains(ContainerKey(engine: snapshot.engine, id: container.id))
            return (isIncumbent ? 0 : 1, container.created, container.id)
        }
        for container in snapshot.containers.sorted(by: { rank($0) < rank($1) }) { add(container, addresses) }
    }

    private mutating func add(_ container: Container, _ addresses: MemberAddress) {
        var verdict = ContainerVerdict(
            engine: addresses.snapshot.engine, id: container.id, container: container.name, state: .notStream)
        defer { verdicts.append(verdict) }
        if container.isAlive { alive[verdict.key] = container }
        let title = addresses.snapshot.title(of: container)
        let labels = ContainerLabels(
            container.labels, container: container.name, title: title, prefix: settings.labelPrefix)
        guard labels.isLabeled else {
            verdict.remarks = ["it has no label that begins with `\(settings.labelPrefix).`"]
            return
        }
        if labels.isExcluded {
            verdict.remarks = ["its label `\(settings.labelPrefix).exclude` takes it out"]
            return
        }
        if container.isSingleRun {
            verdict.remarks = ["it is a single run of a service, whose labels it has"]
            return
        }
        verdict.routes = labels.aliases.map(\.name)
        let isStream = !labels.aliases.isEmpty || !labels.problems.isEmpty
        if isStream, !container.isAlive {
            verdict.state = .notRunning
            verdict.remarks = ["it does not run: \(container.state.rawValue)"]
            return
        }
        if let refusal = refusals[title] {
            (verdict.state, verdict.reason, verdict.remarks) = (.error, refusal.reason, [refusal.message])
            return
        }
        do throws(Problem) {
            try checkNumbers(labels, container)
        } catch {
            (verdict.state, verdict.reason, verdict.remarks) = (.error, error.reason, [error.line])
            return
        }
        if !labels.problems.isEmpty {
            (verdict.state, verdict.reason) = (.error, .parse)
            verdict.remarks = labels.problems.prefix(Self.maxRemarks).map(\.description)
            return
        }
        guard !labels.aliases.isEmpty else {
            verdict.remarks = ["no label of it makes a stream: a `scheme` such as `tcp`, or a port `LISTEN:TARGET`"]
            return
        }
        if container.hasLeftNetworks {
            unreachable.insert(verdict.key)
            (verdict.state, verdict.remarks) = (.notRunning, ["it has left its last network"])
            return
        }
        let isMember = incumbents.contains(verdict.key)
        if let (state, remark) = standing(of: container) {
            (verdict.state, verdict.remarks) = (state, [remark])
            if !isMember { return }
        } else {
            verdict.state = .routed
        }
        do throws(Problem) {
            let isDraining = verdict.state != .routed
            var claims: [(AliasFields, PlannedRoute, PlannedMember)] = []
            for alias in labels.aliases {
                let (route, member) = try claim(alias, labels, container, addresses, isDraining: isDraining)
                claims.append((alias, route, member))
            }
            try checkCount(of: claims.map(\.1), container, addresses)
            try checkLoops(claims.map(\.1), container, addresses)
            for (_, route, member) in claims { join(route, member) }
        } catch {
            if error.reason == .network { unreachable.insert(verdict.key) }
            (verdict.state, verdict.reason, verdict.remarks) = (.error, error.reason, [error.line])
        }
    }

    /// The most ports on which the labels of one container may listen, and those of all together: each is a descriptor
    /// of every worker.
    private static let maxPortsOfContainer = 256
    private static let maxPorts = 4_096

    /// The most findings that are told of one container.
    private static let maxRemarks = 16

    /// Why a container that runs gets no new clients; nil where it does.
    private func standing(of container: Container) -> (ContainerVerdict.State, String)? {
        if container.isStopping { return (.notRunning, "it was told to stop") }
        if container.state == .paused { return (.notRunning, "it is paused") }
        switch container.health {
        case .none, .healthy: return nil
        case .starting: return (.unhealthy, "its engine has not found it healthy yet")
        case .unhealthy: return (.unhealthy, "its engine finds it unhealthy")
        }
    }

    /// Numbers that YAML has made of ports.
    private func checkNumbers(_ labels: ContainerLabels, _ container: Container) throws(Problem) {
        let exposed = Set(container.ports.map(\.number))
        for alias in labels.aliases + labels.others {
            for text in alias.portTexts {
                guard let meant = SexagesimalPort.meant(by: text, exposed: exposed), let port = alias["port"] else {
                    continue
                }
                throw Problem(
                    reason: .port, origin: port.origin,
                    message: "found \(shown(text)), which a reader of YAML makes of `\(meant)` without quotes: write "
                        + "`\"\(meant)\"`")
            }
        }
    }

    // MARK: Members in force

    /// Whether a container runs and has an address.
    func isReachable(_ key: ContainerKey) -> Bool { alive[key] != nil && !unreachable.contains(key) }

    /// Whether a member's address is still that of its container, as far as is known: of an engine that was not asked,
    /// nothing is known to have changed.
    func isThere(_ member: PlannedMember) -> Bool {
        guard let addresses = engines[member.key.engine] else { return true }
        guard let container = alive[member.key] else { return false }
        return addresses.isStill(member.host, member.port, of: container)
    }

    // MARK: Claims

    private func claim(
        _ alias: AliasFields, _ labels: ContainerLabels, _ container: Container, _ addresses: MemberAddress,
        isDraining: Bool
    ) throws(Problem) -> (PlannedRoute, PlannedMember) {
        let title = addresses.snapshot.title(of: container)
        let origin = alias["port"]?.origin ?? .label(container: title, name: nil)
        if namesOfFile.contains(alias.name) {
            throw Problem(
                reason: .conflict, origin: origin,
                message: "the file has a route \(shown(alias.name)), which goes first")
        }
        guard let ports = alias.ports else {
            throw Problem(
                reason: .port, origin: origin,
                message: "expected `LISTEN:TARGET` such as `2222:22`, found "
                    + (alias.portTexts.first.map { shown($0) } ?? "no text"))
        }
        try checkListening(ports, origin)
        let scheme = scheme(of: alias, ports, container)
        let transport = Network(rawValue: scheme)?.transport ?? .tcp
        let hasNames = try checkNames(alias, origin)
        let route = route(alias, ports, scheme: scheme, hasNames: hasNames, container, origin)
        try checkPorts(of: route, origin)
        let found: (host: IPOrName, port: UInt16?)
        do throws(MemberAddress.Missing) {
            found = try addresses.find(
                container, network: labels.network, ports: ports, checked: alias.portOfChecks, transport)
        } catch {
            throw Problem(
                reason: .network, origin: .label(container: title, name: nil), message: error.message)
        }
        let member = PlannedMember(
            key: ContainerKey(engine: addresses.snapshot.engine, id: container.id), container: title,
            host: found.host, port: found.port, weight: alias["weight"], backup: alias["backup"],
            isDraining: isDraining)
        return (route, member)
    }

    private func route(
        _ alias: AliasFields, _ ports: [PortMapping], scheme: String, hasNames: Bool, _ container: Container,
        _ origin: Origin
    ) -> PlannedRoute {
        var fields = alias.entries.filter { !LabelField.ofUpstreams.contains($0.key) }
        if alias["scheme"] == nil {
            fields.append(FragmentTree.entry("scheme", FragmentTree.text(origin, scheme), origin))
        }
        let canonical = ConfigurationNode(origin: origin, content: .mapping(fields)).canonicalText
        let replicaKey = container.project.flatMap { project in
            container.isNamedAsReplica ? container.service.map { "\(project)\n\($0)\n\(canonical)" } : nil
        }
        return PlannedRoute(
            name: alias.name, fields: fields, origin: origin, ports: ports, hasNames: hasNames,
            isTCP: scheme.hasPrefix("tcp"), replicaKey: replicaKey)
    }

    /// A container on the network of this host is dialed at no port that routes listen on: a client would go round and
    /// round until there are no descriptors left.
    private mutating func checkLoops(
        _ new: [PlannedRoute], _ container: Container, _ addresses: MemberAddress
    ) throws(Problem) {
        func listening(_ routes: [PlannedRoute]) -> [ClosedRange<UInt16>] {
            isOnLoopback ? routes.filter(\.isTCP).flatMap { $0.ports.map(\.listen) } : []
        }
        func overlap(_ some: [ClosedRange<UInt16>], _ others: [ClosedRange<UInt16>]) -> Bool {
            some.contains { range in others.contains { $0.overlaps(range) } }
        }
        let isOnHost = addresses.isOnThisHost(container)
        let targets = isOnHost ? new.filter(\.isTCP).flatMap { $0.ports.map(\.target) } : []
        if overlap(targets, listening(new + routes) + loopbackPortsOfFile) || overlap(listening(new), portsOfHost) {
            throw Problem(
                reason: .conflict, origin: .label(container: addresses.snapshot.title(of: container), name: nil),
                message: "a port of the host's network would lead from a route to a route")
        }
        portsOfHost += targets
    }

    /// Bounds the listeners, which take descriptors of the process.
    private func checkCount(
        of new: [PlannedRoute], _ container: Container, _ addresses: MemberAddress
    ) throws(Problem) {
        let own = new.reduce(0) { $0 + $1.portCount }
        let all = own + routes.reduce(0) { $0 + $1.portCount }
        guard own > Self.maxPortsOfContainer || all > Self.maxPorts else { return }
        throw Problem(
            reason: .port, origin: .label(container: addresses.snapshot.title(of: container), name: nil),
            message: "expected at most \(Self.maxPortsOfContainer) ports to listen on, and \(Self.maxPorts) of all "
                + "containers, found \(own) and \(all)")
    }

    /// The scheme as it is written; else UDP where the container exposes the target ports for UDP alone.
    private func scheme(of alias: AliasFields, _ ports: [PortMapping], _ container: Container) -> String {
        if let text = alias.text("scheme") { return text }
        let targets = container.ports.filter { port in ports.contains { $0.target.contains(port.number) } }
        return !targets.isEmpty && targets.allSatisfy { $0.transport == .udp } ? "udp" : "tcp"
    }

    private func checkListening(_ ports: [PortMapping], _ origin: Origin) throws(Problem) {
        for mapping in ports {
            let isAllowed = settings.listenPorts.contains {
                $0.contains(mapping.listen.lowerBound) && $0.contains(mapping.listen.upperBound)
            }
            if isAllowed { continue }
            let allowed = settings.listenPorts.prefix(8).map { PortMapping.text($0) }.joined(separator: ", ")
            throw Problem(
                reason: .port, origin: origin,
                message: "labels may not listen on \(PortMapping.text(mapping.listen)): `docker.listen_ports` has "
                    + "\(allowed)")
        }
    }

    /// Whether the route claims names. Those that it claims must be among `docker.names`.
    private func checkNames(_ alias: AliasFields, _ origin: Origin) throws(Problem) -> Bool {
        guard let sni = alias["sni"] else {
            if let alpn = alias["alpn"] {
                throw Problem(
                    reason: .conflict, origin: alpn.origin, message: "a label with `alpn` needs one with `sni`")
            }
            return false
        }
        let items: [ConfigurationNode]
        if case .sequence(let list) = sni.content { items = list } else { items = [sni] }
        for item in items {
            guard case .scalar(let text, _) = item.content, let name = ServerNamePattern(text) else { continue }
            if settings.names.contains(where: { $0.covers(name) }) { continue }
            throw Problem(
                reason: .conflict, origin: sni.origin,
                message: "labels may not claim the name \(shown(text)): `docker.names` has "
                    + (settings.names.isEmpty
                        ? "none" : settings.names.prefix(8).map(\.description).joined(separator: ", ")))
        }
        return true
    }

    /// A name of a label shares no port with the file, nor with a route that takes all clients.
    private func checkPorts(of route: PlannedRoute, _ origin: Origin) throws(Problem) {
        func overlap(_ ports: ClosedRange<UInt16>) -> Bool { route.ports.contains { $0.listen.overlaps(ports) } }
        if route.isTCP, portsOfFile.contains(where: { ($0.hasNames || route.hasNames) && overlap($0.ports) }) {
            throw Problem(
                reason: .conflict, origin: origin, message: "its port is that of a route of the file, which goes first")
        }
        for other in routes where other.isTCP == route.isTCP && other.name != route.name {
            guard other.ports.contains(where: { overlap($0.listen) }), !(route.hasNames && other.hasNames) else {
                continue
            }
            throw Problem(
                reason: .conflict, origin: origin,
                message: "its port is that of route \(shown(other.name)) (\(other.origin))")
        }
        if let index = indices[route.name],
            routes[index].replicaKey == nil || routes[index].replicaKey != route.replicaKey
        {
            throw Problem(
                reason: .conflict, origin: origin,
                message: "route \(shown(route.name)) is that of another container (\(routes[index].origin)); only "
                    + "containers of one compose service, with its names and the same fields, share one")
        }
    }

    private mutating func join(_ route: PlannedRoute, _ member: PlannedMember) {
        if let index = indices[route.name] {
            routes[index].members.append(member)
            return
        }
        indices[route.name] = routes.count
        routes.append(route)
        routes[routes.count - 1].members = [member]
    }
}

extension ServerNamePattern {
    /// Whether every name of another pattern is one of this.
    func covers(_ other: ServerNamePattern) -> Bool {
        if self == other { return true }
        guard isWildcard, other.name.count > name.count + 1 else { return false }
        return other.name.suffix(name.count + 1) == ([UInt8(ascii: ".")] + name)[...]
    }
}
