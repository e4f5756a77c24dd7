public import WeirConfiguration

/// A configuration file, as the command line sees it: loaded or refused, with lines that are ready to be printed.
public struct ConfigurationFile: Sendable {
    /// Why a file cannot be used: every finding, as compilers print them, in the order of the file.
    public struct Refusal: Error, Sendable {
        /// One line for each finding.
        public let lines: [String]
        /// The bytes that were refused; nil where they cannot be read.
        let content: [UInt8]?
        /// Files beside it that were looked at.
        let dependencies: [FileDependency]
    }

    /// A file that can be used.
    public struct Loaded: Sendable {
        /// The validated values.
        public let configuration: Configuration
        /// The oddities of the file, one line each, in the format of compilers.
        public let warnings: [String]
        /// Advice for `weir check`, in the same form (``Configuration/Loaded/advice``).
        public let advice: [String]
        /// The certificates, one line each: their path, names and end.
        public let certificates: [String]
        /// All that was read.
        let fragment: ConfigurationFragment
        /// The bytes that it was read from: what has changed since differs from them.
        let content: [UInt8]?
        /// Files beside it that it depends on.
        let dependencies: [FileDependency]
        /// How many routes it has.
        public var routeCount: Int { configuration.routes.count }
    }

    /// The JSON schema of every file, as text.
    public static var schema: String { Configuration.schema }

    /// As it was named.
    public let path: String
    /// The values of `${NAME}`.
    public let environment: [String: String]

    /// Names a file; nothing is read yet.
    public init(path: String, environment: [String: String]) {
        self.path = path
        self.environment = environment
    }

    /// Reads and validates the file.
    public func load() throws(Refusal) -> Loaded {
        let (read, content) = ConfigurationFragment.reading(file: path, environment: environment)
        let fragment = read.completingAgent(from: environment)
        do throws(ConfigurationErrors) {
            let loaded = try Configuration.load(
                [fragment], rules: AccessRuleValidator(), certificates: CertificateValidator())
            return Loaded(
                configuration: loaded.configuration, warnings: loaded.warnings.map(\.description),
                advice: loaded.advice.map(\.description),
                certificates: loaded.certificates.map {
                    "\($0.path): \($0.names.isEmpty ? "no names" : $0.names), ends \(UTCTime.date($0.expiry))"
                }, fragment: fragment, content: content, dependencies: loaded.dependencies)
        } catch {
            throw Refusal(
                lines: error.diagnostics.map(\.description), content: content, dependencies: error.dependencies)
        }
    }
}
