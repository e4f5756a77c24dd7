extension Configuration {
    /// A configuration that can be used, and what is odd about it.
    public struct Loaded: Sendable, Equatable {
        /// The validated values.
        public let configuration: Configuration
        /// Findings of severity `warning`, sorted by place.
        public let warnings: [Diagnostic]
        /// Files beside the configuration that it depends on.
        public let dependencies: [FileDependency]

        /// Joins a configuration and its warnings.
        public init(
            configuration: Configuration, warnings: [Diagnostic] = [], dependencies: [FileDependency] = []
        ) {
            self.configuration = configuration
            self.warnings = warnings
            self.dependencies = dependencies
        }
    }

    /// The largest file that is read, in bytes.
    public static let largestFileSize = 4 << 20

    /// Reads and validates a file, and the files that it names. `rules` looks at access rules; without it they are not
    /// looked at.
    ///
    /// Blocks while it reads. Throws every error of the file at once; a file that cannot be read gives one error
    /// without a place.
    public static func load(
        path: String, environment: [String: String], rules: (any AccessRuleChecking)? = nil
    ) throws(ConfigurationErrors) -> Loaded {
        let bytes: [UInt8]
        do {
            bytes = try readFile(path: path, limit: largestFileSize)
        } catch {
            throw ConfigurationErrors([Diagnostic(file: path, location: nil, message: error.message)])
        }
        return try parse(
            bytes: bytes, file: path, environment: environment,
            surroundings: Surroundings(folder: Surroundings.folder(of: path), rules: rules))
    }

    /// Validates the bytes of a file; `file` is its name in messages. Pure: nothing is opened or resolved, and so list
    /// files are refused.
    public static func parse(
        bytes: [UInt8], file: String, environment: [String: String], rules: (any AccessRuleChecking)? = nil
    ) throws(ConfigurationErrors) -> Loaded {
        try parse(bytes: bytes, file: file, environment: environment, surroundings: Surroundings(rules: rules))
    }

    private static func parse(
        bytes: [UInt8], file: String, environment: [String: String], surroundings: Surroundings
    ) throws(ConfigurationErrors) -> Loaded {
        let findings = Findings(file: file)
        let configuration = readConfiguration(
            bytes: bytes, environment: environment, findings: findings, surroundings: surroundings)
        let sorted = findings.sorted
        guard let configuration, !findings.hasErrors else {
            throw ConfigurationErrors(sorted, dependencies: surroundings.dependencies)
        }
        return Loaded(configuration: configuration, warnings: sorted, dependencies: surroundings.dependencies)
    }

    private static func readConfiguration(
        bytes: [UInt8], environment: [String: String], findings: Findings, surroundings: Surroundings
    ) -> Configuration? {
        guard bytes.count <= largestFileSize else {
            findings.error(nil, "expected a file of at most 4 MiB, found more")
            return nil
        }
        guard let text = decodeText(bytes, findings: findings),
            let root = YAMLReader(environment: environment, findings: findings).read(text)
        else { return nil }
        return ConfigurationReader(findings: findings, surroundings: surroundings).read(root)
    }
}
