extension Configuration {
    /// A configuration that can be used, and what is odd about it.
    public struct Loaded: Sendable {
        /// The validated values.
        public let configuration: Configuration
        /// Diagnostics of severity `warning`, sorted by origin.
        public let warnings: [Diagnostic]
        /// Files beside the configuration that it depends on.
        public let dependencies: [FileDependency]
        /// The certificates, each once, in the order of the file; empty where they were not looked at.
        public let certificates: [CertificateReport]
        /// All that was read, with its origins.
        private let tree: ConfigurationNode?

        /// Joins a configuration and its warnings.
        init(
            configuration: Configuration, warnings: [Diagnostic] = [], dependencies: [FileDependency] = [],
            certificates: [CertificateReport] = [], tree: ConfigurationNode? = nil
        ) {
            self.configuration = configuration
            self.warnings = warnings
            self.dependencies = dependencies
            self.certificates = certificates
            self.tree = tree
        }

        /// The origin of a value, by the keys on the way to it: `origin(of: "routes", "ssh", "port")`. An item of a
        /// list has its number, from 0, as key. Nil where it is not written, and comes from a default.
        public func origin(of keys: String...) -> Origin? {
            var node = tree
            for key in keys {
                if case .sequence(let items)? = node?.content {
                    node = Int(key).flatMap { items.indices.contains($0) ? items[$0] : nil }
                } else {
                    node = node?[key]
                }
            }
            return node?.origin
        }

        /// The origin of a route's name.
        public func origin(ofRoute name: String) -> Origin? {
            guard case .mapping(let entries)? = tree?["routes"]?.content else { return nil }
            return entries.first { $0.key == name }?.keyOrigin
        }
    }

    /// The largest file that is read, in bytes.
    public static let maxFileByteCount = 4 << 20

    /// Reads and validates a file, and the files that it names. `rules` looks at access rules, and `certificates` at
    /// certificates; without them they are not looked at.
    ///
    /// Blocks while it reads. Throws every error of the file at once; a file that cannot be read gives one error
    /// without a location.
    public static func load(
        path: String, environment: [String: String], rules: (any AccessRuleValidation)? = nil,
        certificates: (any CertificateValidation)? = nil
    ) throws(ConfigurationErrors) -> Loaded {
        try load(
            [ConfigurationFragment.reading(file: path, environment: environment).fragment], rules: rules,
            certificates: certificates)
    }

    /// Merges and validates what sources say, and reads the files that they name. Blocks while it reads those.
    ///
    /// `replaced` is the configuration in force at a reload: a list file that has rules there and is empty now is an
    /// error, unless its entry says `allow_empty: true`.
    /// - Throws: every error of every source, and each value or route that two of them have.
    public static func load(
        _ fragments: [ConfigurationFragment], rules: (any AccessRuleValidation)? = nil,
        certificates: (any CertificateValidation)? = nil, replacing replaced: Configuration? = nil
    ) throws(ConfigurationErrors) -> Loaded {
        let counts = replaced?.listRuleCounts ?? [:]
        return try read(
            fragments,
            referencedFiles: ReferencedFiles(
                opensFiles: true, rules: rules, certificates: certificates, ruleCountsBefore: counts))
    }

    /// Validates the bytes of a file; `file` is its name in messages. Pure: nothing is opened or resolved, and so list
    /// files are refused.
    public static func parse(
        bytes: [UInt8], file: String, environment: [String: String], rules: (any AccessRuleValidation)? = nil
    ) throws(ConfigurationErrors) -> Loaded {
        let fragment = ConfigurationFragment(yaml: bytes, file: file, environment: environment)
        return try read([fragment], referencedFiles: ReferencedFiles(opensFiles: false, rules: rules))
    }

    private static func read(
        _ fragments: [ConfigurationFragment], referencedFiles: ReferencedFiles
    ) throws(ConfigurationErrors) -> Loaded {
        let diagnostics = Diagnostics()
        for fragment in fragments { fragment.diagnostics.forEach(diagnostics.add) }
        let root = FragmentMerger(diagnostics: diagnostics).merge(fragments.compactMap(\.root))
        let configuration = root.flatMap {
            ConfigurationReader(diagnostics: diagnostics, referencedFiles: referencedFiles).read($0)
        }
        let sorted = diagnostics.sorted
        guard let configuration, let root, !diagnostics.hasErrors else {
            throw ConfigurationErrors(sorted, dependencies: referencedFiles.dependencies)
        }
        return Loaded(
            configuration: configuration, warnings: sorted, dependencies: referencedFiles.dependencies,
            certificates: referencedFiles.certificateReports, tree: root)
    }
}
