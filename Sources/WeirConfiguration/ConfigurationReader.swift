/// Reads the whole tree of a file.
struct ConfigurationReader {
    let findings: Findings
    let surroundings: Surroundings

    /// The configuration, or nil after an error that leaves none. Errors are noted; the caller asks for them.
    func read(_ root: YAMLValue) -> Configuration? {
        if case .null = root.content {
            let message = "expected `routes:` with at least one route, found an empty file"
            findings.error(SourceLocation(line: 1, column: 1), message)
            return nil
        }
        guard let top = findings.section(root, .top, named: "the file") else { return nil }
        var configuration = Configuration()
        var exporterPlaces: [SourceLocation] = []
        if let value = top["exporter"] {
            let reader = ExporterReader(findings: findings, surroundings: surroundings)
            exporterPlaces = reader.read(value, into: &configuration.exporter)
        }
        if let value = top["log"] { read(log: value, into: &configuration.log) }
        if let value = top["workers"] {
            configuration.workers = findings.automaticCount(value, "workers", in: 1...64) ?? .automatic
        }
        if let value = top["shutdown"] { read(shutdown: value, into: &configuration.shutdown) }
        if let value = top["limits"] { read(limits: value, into: &configuration.limits) }
        if let value = top["geoip"] {
            configuration.geoip = AccessReader.readGeoIP(value, findings: findings, surroundings: surroundings)
        }
        let access = AccessReader(
            findings: findings, surroundings: surroundings, hasDatabase: top["geoip"] != nil)
        if let value = top["acl"] { configuration.access = access.readGlobal(value) }
        let proxyProtocol = top["entrypoint"].flatMap { read(entrypoint: $0) } ?? ProxyProtocolSettings()
        let defaults = read(defaults: top["defaults"], access: access)
        let reader = RouteReader(findings: findings, access: access, defaults: defaults, proxyProtocol: proxyProtocol)
        let drafts = read(routes: top["routes"], root: root, with: reader)
        checkListeners(
            of: drafts, exporter: configuration.exporter, at: exporterPlaces, findings: findings)
        checkAccess(
            of: drafts, global: configuration.access, at: place(of: "default", in: top["acl"]), findings: findings)
        configuration.routes = drafts.compactMap(\.route)
        return configuration
    }

    /// Where the value of a key in a section stands.
    private func place(of key: String, in section: YAMLValue?) -> SourceLocation? {
        guard case .mapping(let entries)? = section?.content else { return nil }
        return entries.first { $0.key == key }?.value.place
    }

    private func read(entrypoint value: YAMLValue) -> ProxyProtocolSettings? {
        guard let section = findings.section(value, .entrypoint, named: "`entrypoint`"),
            let value = section["proxy_protocol"]
        else { return nil }
        return findings.proxyProtocol(value, named: "`entrypoint.proxy_protocol`")
    }

    private func read(log value: YAMLValue, into log: inout Configuration.Log) {
        guard let section = findings.section(value, .log, named: "`log`") else { return }
        if let value = section["level"], let level = findings.choice(value, "level", of: Configuration.Log.Level.self) {
            log.level = level
        }
        if let value = section["format"],
            let format = findings.choice(value, "format", of: Configuration.Log.Format.self)
        {
            log.format = format
        }
    }

    private func read(shutdown value: YAMLValue, into shutdown: inout Configuration.Shutdown) {
        guard let section = findings.section(value, .shutdown, named: "`shutdown`") else { return }
        if let value = section["delay"], let delay = findings.duration(value, "delay", minimum: .zero) {
            shutdown.delay = delay
        }
        if let value = section["drain_timeout"],
            let timeout = findings.duration(value, "drain_timeout", minimum: .zero)
        {
            shutdown.drainTimeout = timeout
        }
    }

    private func read(limits value: YAMLValue, into limits: inout Configuration.Limits) {
        guard let section = findings.section(value, .limits, named: "`limits`") else { return }
        if let value = section["max_connections"],
            let count = findings.automaticCount(value, "max_connections", in: RouteReader.counts)
        {
            limits.maxConnections = count
        }
        if let value = section["max_sessions"],
            let count = findings.count(value, "max_sessions", in: RouteReader.counts)
        {
            limits.maxSessions = count
        }
        if let traffic = LimitReader(findings: findings).read(section) { limits.traffic = traffic }
    }

    /// Checks every default by itself, so that a bad one is found even where no route uses it.
    private func read(defaults value: YAMLValue?, access: AccessReader) -> SectionEntries {
        guard let value, let section = findings.section(value, .route, named: "`defaults`") else {
            return SectionEntries(entries: [:])
        }
        RouteReader(findings: findings, access: access, defaults: SectionEntries(entries: [:])).check(section)
        return section
    }

    private func read(routes value: YAMLValue?, root: YAMLValue, with reader: RouteReader) -> [RouteDraft] {
        guard let value else {
            findings.error(root.place, "expected `routes:` with at least one route, found none")
            return []
        }
        switch value.content {
        case .mapping(let entries) where !entries.isEmpty:
            return entries.map { reader.read($0) }
        case .mapping, .null:
            findings.error(value.place, "`routes`: expected at least one route, found none")
        case .scalar, .sequence:
            findings.error(value.place, "`routes`: expected a mapping from names to routes, found \(value.found)")
        case .refused: break
        }
        return []
    }
}
