public import WeirConfiguration

/// A configuration file, as the command line sees it: loaded or refused, with findings that are ready to be printed.
public struct ConfigurationFile: Sendable {
    /// Why a file cannot be used: every finding, as compilers print them, in the order of their places.
    public struct Refusal: Error, Sendable {
        /// One line each.
        public let findings: [String]
    }

    /// As it was named.
    public let path: String
    /// What `${NAME}` stands for.
    public let environment: [String: String]

    /// Names a file; nothing is read yet.
    public init(path: String, environment: [String: String]) {
        self.path = path
        self.environment = environment
    }

    /// Reads and validates the file.
    public func load() throws(Refusal) -> Configuration.Loaded {
        do throws(ConfigurationErrors) {
            return try Configuration.load(path: path, environment: environment)
        } catch {
            throw Refusal(findings: error.diagnostics.map(\.description))
        }
    }
}
