/// Reads `exporter:`.
struct ExporterReader {
    private static let mostListeners = 16

    let findings: Findings
    let surroundings: Surroundings

    /// Reads the section into `exporter`.
    /// - Returns: where each of its listeners stands, for the check of clashes.
    func read(_ value: YAMLValue, into exporter: inout Configuration.Exporter) -> [SourceLocation] {
        guard let section = findings.section(value, .exporter, named: "`exporter`") else { return [] }
        var places: [SourceLocation] = []
        if let value = section["listen"], let listeners = readListeners(value) {
            exporter.listen = listeners.map(\.listener)
            places = listeners.map(\.place)
        }
        if let value = section["socket_mode"],
            let mode = findings.parsed(value, "socket_mode", expected: "permissions such as `0660`", parseFileMode)
        {
            exporter.socketMode = mode
        }
        if let value = section["auth"] { exporter.authentication = readAuthentication(value) }
        if let value = section["allow"] {
            exporter.allow = findings.blocks(value, "allow", ofEverything: "then everybody is let in")
            if exporter.allow?.isEmpty == true {
                findings.error(
                    value.place,
                    "`allow`: expected a list such as `[10.0.0.0/8]`, found nothing: nobody but this machine could ask the "
                        + "exporter")
            }
        }
        if let value = section["retired_series_ttl"],
            let duration = findings.duration(value, "retired_series_ttl", minimum: .zero)
        {
            exporter.retiredSeriesTTL = duration
        }
        if let value = section["max_series"],
            let count = findings.count(value, "max_series", in: 1_000...100_000_000)
        {
            exporter.maxSeries = count
        }
        if let value = section["native_histograms"], let isOn = findings.flag(value, "native_histograms") {
            exporter.hasNativeHistograms = isOn
        }
        if let value = section["native_histogram_schema"],
            let schema = findings.wholeNumber(
                value, "native_histogram_schema", in: Configuration.Exporter.nativeHistogramSchemas)
        {
            exporter.nativeHistogramSchema = schema
        }
        return places
    }

    // MARK: Listeners

    private typealias Placed = (listener: Configuration.Exporter.Listener, place: SourceLocation)

    /// One address or path, or a list of them; nil after an error.
    private func readListeners(_ value: YAMLValue) -> [Placed]? {
        guard case .sequence(let items) = value.content else { return readListener(value).map { [$0] } }
        guard (1...Self.mostListeners).contains(items.count) else {
            findings.error(
                value.place, "`listen`: expected 1 to \(Self.mostListeners) addresses, found \(items.count)")
            return nil
        }
        var listeners: [Placed] = []
        var isGood = true
        for item in items {
            guard let placed = readListener(item) else {
                isGood = false
                continue
            }
            if case .unix(let path) = placed.listener, listeners.contains(where: { $0.listener == placed.listener }) {
                findings.error(item.place, "`listen`: \(quoted(path)) is named twice")
            }
            listeners.append(placed)
        }
        return isGood ? listeners : nil
    }

    private func readListener(_ value: YAMLValue) -> Placed? {
        let expected = "an IP address and a port such as `127.0.0.1:9847`, or `unix:/run/weir/exporter.sock`"
        let listener = findings.parsed(value, "listen", expected: expected) { text throws(ValueError) in
            try Configuration.Exporter.Listener(parsing: text)
        }
        return listener.map { ($0, value.place) }
    }

    // MARK: Authentication

    private func readAuthentication(_ value: YAMLValue) -> ExporterAuthentication? {
        guard let section = findings.section(value, .exporterAuth, named: "`auth`") else { return nil }
        if value.isEmptySection {
            findings.error(value.place, "`auth`: expected a `bearer_token_file` or `basic`, found neither")
            return nil
        }
        var authentication = ExporterAuthentication()
        let files = SecretFileReader(findings: findings, surroundings: surroundings)
        if let value = section["bearer_token_file"] { authentication.tokens = files.readTokens(value) }
        if let value = section["basic"] { authentication.users = readBasic(value, files) }
        return authentication
    }

    private func readBasic(_ value: YAMLValue, _ files: SecretFileReader) -> [ExporterAuthentication.User] {
        guard let section = findings.section(value, .exporterBasic, named: "`basic`") else { return [] }
        if value.isEmptySection {
            findings.error(value.place, "`basic`: expected `users` or a `users_file`, found neither")
            return []
        }
        var users = section["users"].map { readUsers($0) } ?? []
        if let value = section["users_file"] {
            let others = files.readUsers(value)
            for user in others where users.contains(where: { $0.name == user.name }) {
                findings.error(value.place, "`users_file`: the user \(quoted(user.name)) stands in `users`, too")
            }
            users += others
        }
        return users
    }

    private func readUsers(_ value: YAMLValue) -> [ExporterAuthentication.User] {
        guard case .mapping(let entries) = value.content, !entries.isEmpty else {
            if case .refused = value.content { return [] }
            findings.error(
                value.place, "`users`: expected a mapping from names to hashes of passwords, found none")
            return []
        }
        return entries.compactMap { entry in
            // Never what was found: it may be a password.
            guard case .scalar(let text, _) = entry.value.content else {
                if case .refused = entry.value.content { return nil }
                findings.error(entry.value.place, "`users`: expected a hash in quotes for \(quoted(entry.key))")
                return nil
            }
            do throws(ValueError) {
                let (user, remark) = try Self.user(entry.key, text)
                if let remark { findings.warning(entry.value.place, "`users`: \(quoted(entry.key)): \(remark)") }
                return user
            } catch {
                findings.error(entry.value.place, "`users`: \(quoted(entry.key)): \(error.message)")
                return nil
            }
        }
    }

    /// A user, and what is odd about the hash.
    static func user(_ name: String, _ hash: String) throws(ValueError) -> (ExporterAuthentication.User, String?) {
        let isPlain = name.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7f && $0 != ":" }
        guard (1...128).contains(name.utf8.count), isPlain else {
            throw ValueError("expected a name of at most 128 bytes without `:` and control characters")
        }
        let remark = try PasswordHashText.check(hash)
        return (ExporterAuthentication.User(name: name, hash: Secret(hash)), remark)
    }
}

extension YAMLValue {
    /// Whether it is a section without a key. Keys that nobody knows are told elsewhere.
    fileprivate var isEmptySection: Bool {
        switch content {
        case .null: true
        case .mapping(let entries): entries.isEmpty
        case .scalar, .sequence, .refused: false
        }
    }
}
