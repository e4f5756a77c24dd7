/// Reads the `acl` sections, the global one and those of routes, and `geoip`.
struct AccessReader {
    /// A route's section, and where its `default` stands.
    struct RouteSection {
        var access: RouteAccessConfiguration
        var defaultPlace: SourceLocation?
    }

    private static let expectedRules = "a list of rules such as `[\"cidr:198.51.100.0/24\"]`"
    private static let filePrefix = "file:"

    let findings: Findings
    let surroundings: Surroundings
    /// Whether the file names a database.
    let hasDatabase: Bool

    // MARK: Sections

    /// The global section. What is wrong in it is noted, and has its default here.
    func readGlobal(_ value: YAMLValue) -> AccessConfiguration {
        var access = AccessConfiguration()
        guard let section = findings.section(value, .acl, named: "`acl`") else { return access }
        if let value = section["default"], let action = readAction(value) { access.defaultAction = action }
        if let value = section["allow_local"], let isOn = findings.flag(value, "allow_local") {
            access.allowLocal = isOn
        }
        if let value = section["allow"] { access.allow = readRules(value, "allow") }
        if let value = section["deny"] { access.deny = readRules(value, "deny") }
        if let value = section["log"] { access.log = readLog(value) }
        return access
    }

    /// A route's section; nil where it is no section.
    func readRoute(_ value: YAMLValue) -> RouteSection? {
        guard let section = findings.section(value, .routeACL, named: "`acl`") else { return nil }
        var read = RouteSection(access: RouteAccessConfiguration())
        if let value = section["default"] {
            read.access.defaultAction = readAction(value)
            read.defaultPlace = value.place
        }
        if let value = section["allow"] { read.access.allow = readRules(value, "allow") }
        if let value = section["deny"] { read.access.deny = readRules(value, "deny") }
        return read
    }

    private func readAction(_ value: YAMLValue) -> AccessConfiguration.Action? {
        findings.choice(value, "default", of: AccessConfiguration.Action.self)
    }

    private func readLog(_ value: YAMLValue) -> AccessConfiguration.Log? {
        guard let section = findings.section(value, .aclLog, named: "`log`") else { return nil }
        var log = AccessConfiguration.Log()
        guard let path = section["path"] else {
            findings.error(value.place, "`log`: expected a `path`, or `path: stdout`, found none")
            return nil
        }
        if let text = readPath(path, "path", expected: "a file to append to, or `stdout`") {
            log.path = text == "stdout" ? nil : surroundings.resolve(text)
        }
        if let value = section["log_allowed"], let isOn = findings.flag(value, "log_allowed") { log.logAllowed = isOn }
        return log
    }

    private func readPath(_ value: YAMLValue, _ key: String, expected: String) -> String? {
        findings.parsed(value, key, expected: expected) { text throws(ValueError) in
            guard !text.isEmpty, !text.utf8.contains(0) else {
                throw ValueError("expected \(expected), found \(quoted(text))")
            }
            return text
        }
    }

    // MARK: Rules

    /// A list. What is wrong in it stays an entry, so that it does not look shorter than it was meant.
    private func readRules(_ value: YAMLValue, _ key: String) -> [AccessEntry] {
        switch value.content {
        case .sequence(let items): return items.map { readRule($0, key) ?? AccessEntry("", location: $0.place) }
        case .null: return []
        case .refused: return [AccessEntry("", location: value.place)]
        case .scalar, .mapping:
            findings.error(value.place, "`\(key)`: expected \(Self.expectedRules), found \(value.found)")
            return [AccessEntry("", location: value.place)]
        }
    }

    /// One entry; nil after an error that leaves none.
    private func readRule(_ item: YAMLValue, _ key: String) -> AccessEntry? {
        switch item.content {
        case .scalar(let text, let written):
            if text.hasPrefix(Self.filePrefix) { return readList(item, text, key) }
            let verdict = surroundings.rules?.check(rule: text) ?? AccessRuleVerdict()
            for problem in verdict.problems {
                let source = written == text ? "" : " (from \(quoted(written)))"
                findings.error(item.place, "`\(key)`: \(problem.message)\(source)", suggestion: problem.suggestion)
            }
            requireDatabase(verdict, item.place, key, of: quoted(text))
            return AccessEntry(text, location: item.place)
        case .mapping(let entries) where entries.count == 1:
            // `- ip: 192.0.2.7` without quotes is a mapping to YAML.
            if case .scalar(let text, _) = entries[0].value.content {
                findings.error(
                    item.place, "`\(key)`: expected a rule, found a mapping: a rule has no blank behind its colon",
                    suggestion: "\"\(entries[0].key):\(text)\"")
                return nil
            }
            fallthrough
        case .mapping, .sequence, .null:
            findings.error(item.place, "`\(key)`: expected a rule such as `cidr:198.51.100.0/24`, found \(item.found)")
            return nil
        case .refused: return nil
        }
    }

    /// `file:blocklist.txt`: what is wrong within it is told with its own name and line.
    private func readList(_ item: YAMLValue, _ text: String, _ key: String) -> AccessEntry? {
        let name = String(text.dropFirst(Self.filePrefix.count))
        guard !name.isEmpty, surroundings.folder != nil else {
            findings.error(item.place, "`\(key)`: expected a file such as `file:blocklist.txt`, found \(quoted(text))")
            return nil
        }
        let file: AccessEntry.File
        do throws(ValueError) {
            file = try surroundings.list(surroundings.resolve(name))
        } catch {
            findings.error(item.place, "`\(key)`: \(quoted(text)): \(error.message)")
            return nil
        }
        let verdict = surroundings.verdict(over: file)
        for problem in verdict.problems {
            findings.error(
                in: file.path, problem.line.map { SourceLocation(line: $0, column: 1) }, problem.message,
                suggestion: problem.suggestion)
        }
        requireDatabase(verdict, item.place, key, of: "a rule in \(quoted(text))")
        return AccessEntry(text, file: file, location: item.place)
    }

    private func requireDatabase(_ verdict: AccessRuleVerdict, _ place: SourceLocation, _ key: String, of rule: String)
    {
        guard verdict.needsDatabase, !hasDatabase else { return }
        findings.error(
            place,
            "`\(key)`: \(rule) needs a database that says where addresses are, and none is configured: set "
                + "`geoip: { database: … }`")
    }

    // MARK: GeoIP

    /// `geoip:`. It stands outside, because rules can be checked only when it is known.
    static func readGeoIP(
        _ value: YAMLValue, findings: Findings, surroundings: Surroundings
    ) -> Configuration.GeoIP? {
        guard let section = findings.section(value, .geoip, named: "`geoip`") else { return nil }
        guard let database = section["database"] else {
            findings.error(value.place, "`geoip`: expected a `database`, found none")
            return nil
        }
        let reader = AccessReader(findings: findings, surroundings: surroundings, hasDatabase: true)
        guard let name = reader.readPath(database, "database", expected: "a MaxMind database") else { return nil }
        let path = surroundings.resolve(name)
        let stamp = surroundings.folder == nil ? FileStamp() : surroundings.depend(on: path)
        if let problem = surroundings.rules?.check(database: path) {
            findings.error(database.place, "`database`: \(problem)")
        }
        return Configuration.GeoIP(database: path, stamp: stamp)
    }
}
