import NetworkTypes

/// Reads the whole tree of a file.
struct ConfigurationReader {
    let diagnostics: Diagnostics
    let referencedFiles: ReferencedFiles

    /// The configuration, or nil after an error that leaves none. Errors are noted; the caller asks for them.
    func read(_ root: ConfigurationNode) -> Configuration? {
        if case .null = root.content {
            let message = "expected `routes:` with at least one route, found an empty file"
            diagnostics.error(root.origin.start, message)
            return nil
        }
        guard let top = diagnostics.section(root, Configuration.section.keys, named: "the file") else { return nil }
        let context = ReadingContext(
            diagnostics: diagnostics, referencedFiles: referencedFiles, hasDatabase: top["geoip"] != nil)
        var configuration = Configuration()
        var faults: Set<String> = []
        for setting in Configuration.section.settings {
            guard let variant = setting.variants.first, let value = top[setting.key] else { continue }
            if !variant.read(value, &configuration, context) { faults.insert(setting.key) }
        }
        let defaults = read(defaults: top["defaults"], context)
        let reader = RouteReader(
            context: context, defaults: defaults,
            proxyProtocol: faults.contains("entrypoint")
                ? ProxyProtocolSettings() : configuration.entrypoint.proxyProtocol)
        let docker = top["docker"].flatMap { $0.isOff ? nil : $0 }
        checkTrait(of: docker)
        let agentNode = top["agent"].flatMap { $0.isOff ? nil : $0 }
        let isWithoutRoutes = top["routes"].map { if case .null = $0.content { true } else { false } } ?? true
        var drafts =
            (docker ?? agentNode) != nil && isWithoutRoutes
            ? [] : read(routes: top["routes"], root: root, with: reader)
        resolveAgents(of: &drafts, configuration.agents, isKnown: !faults.contains("agents"), diagnostics: diagnostics)
        if let agent = configuration.ownAgent, !faults.contains("agent"), let origin = agentNode?.origin {
            drafts.append(draft(of: agent, at: origin, beside: drafts))
        }
        let listen = top["exporter"]?["listen"]
        checkListeners(
            of: drafts, exporter: configuration.exporter, at: listen?.origins(of: configuration.exporter.listen) ?? [],
            diagnostics: diagnostics)
        checkAccess(
            of: drafts, global: configuration.access, at: top["acl"]?["default"]?.origin ?? root.origin,
            diagnostics: diagnostics)
        checkNameRules(
            of: drafts, global: configuration.access, at: top["acl"]?.origin ?? root.origin, diagnostics: diagnostics)
        checkDatabase(configuration.geoip, at: top["geoip"]?["database"]?.origin)
        checkDatagramHeaders(of: drafts, entrypoint: top["entrypoint"], diagnostics: diagnostics)
        checkAmplification(of: drafts, diagnostics: diagnostics)
        checkDialSources(of: drafts, diagnostics: diagnostics)
        checkTLS(of: drafts, global: configuration.tls, diagnostics: diagnostics)
        checkUnixUpstreams(of: drafts, exporter: configuration.exporter, diagnostics: diagnostics)
        configuration.routes = drafts.filter(\.isComplete).map(\.route)
        return configuration
    }

    /// Refuses containers in a program that cannot ask for them.
    private func checkTrait(of docker: ConfigurationNode?) {
        #if !Docker
        guard let docker else { return }
        diagnostics.error(
            docker.origin,
            "`docker` needs a program that was built with the package trait `Docker` (`swift build --traits Docker`)")
        #endif
    }

    /// The route of the agent, which is checked as all others are.
    private func draft(of agent: Configuration.Agent, at origin: Origin, beside drafts: [RouteDraft]) -> RouteDraft {
        if drafts.contains(where: { $0.name == agent.name }) {
            diagnostics.error(
                origin, "`agent`: a route has the name \(quoted(agent.name)), too: their metrics would be one")
        }
        var draft = RouteDraft(name: agent.name, origin: origin, route: agent.route)
        draft.isComplete = true
        return draft
    }

    /// Looks at the database once all rules are known that need it.
    private func checkDatabase(_ geoip: Configuration.GeoIP?, at origin: Origin?) {
        guard let geoip, let origin, !geoip.database.isEmpty,
            let problem = referencedFiles.rules?.check(database: geoip.database, for: referencedFiles.locationKeys)
        else { return }
        diagnostics.error(origin, "`database`: \(problem)")
    }

    /// Checks every default by itself, so that a bad one is found even where no route uses it.
    private func read(defaults value: ConfigurationNode?, _ context: ReadingContext) -> SectionEntries {
        guard let value, let section = diagnostics.section(value, RouteConfiguration.section.keys, named: "`defaults`")
        else { return SectionEntries(entries: [:]) }
        RouteReader(context: context, defaults: SectionEntries(entries: [:])).check(section)
        return section
    }

    private func read(routes value: ConfigurationNode?, root: ConfigurationNode, with reader: RouteReader)
        -> [RouteDraft]
    {
        guard let value else {
            diagnostics.error(root.origin, "expected `routes:` with at least one route, found none")
            return []
        }
        switch value.content {
        case .mapping(let entries) where !entries.isEmpty:
            return entries.flatMap { reader.read($0) }
        case .mapping, .null:
            diagnostics.error(value.origin, "`routes`: expected at least one route, found none")
        case .scalar, .sequence:
            diagnostics.error(value.origin, "`routes`: expected a mapping from names to routes, found \(value.found)")
        case .refused: break
        }
        return []
    }
}

extension ConfigurationNode {
    /// The origins of the listeners that were read from it; empty where it could not be read.
    fileprivate func origins(of listeners: [Configuration.Exporter.Listener]) -> [Origin] {
        guard case .sequence(let items) = content else { return [origin] }
        return items.count == listeners.count ? items.map(\.origin) : []
    }
}
