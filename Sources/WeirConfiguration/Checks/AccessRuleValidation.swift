/// The errors in access rules, and their needs.
public struct AccessRuleCheckResult: Sendable {
    /// One thing that is wrong.
    public struct Problem: Sendable {
        /// The expected and the found text, in one line.
        public var message: String
        /// The exact text that was probably meant.
        public var suggestion: String?
        /// In a list file: the line.
        public var line: Int?

        /// Makes a problem.
        public init(_ message: String, suggestion: String? = nil, line: Int? = nil) {
            self.message = message
            self.suggestion = suggestion
            self.line = line
        }
    }

    /// The data on addresses that a database may have.
    public enum LocationKey: String, Sendable, CaseIterable {
        /// The country, for `country:` rules.
        case country
        /// The time zone, for `tz:` rules.
        case timezone
    }

    /// All that is wrong; nothing where the rules can be used.
    public var problems: [Problem]
    /// The data that some of them need from a database.
    public var locationKeys: Set<LocationKey>
    /// In a list file: how many rules it has; nil where that is not known.
    public var ruleCount: Int?
    /// Whether some of them look at the names in certificates of clients.
    public var judgesNames: Bool

    /// Creates a result.
    public init(
        problems: [Problem] = [], locationKeys: Set<LocationKey> = [], ruleCount: Int? = nil, judgesNames: Bool = false
    ) {
        self.problems = problems
        self.locationKeys = locationKeys
        self.ruleCount = ruleCount
        self.judgesNames = judgesNames
    }
}

/// The meaning of access rules. This module knows only their locations, and asks while it reads a file, so that an
/// error in a rule is reported together with all others.
public protocol AccessRuleValidation: Sendable {
    /// Looks at a rule of the configuration.
    func check(rule text: String) -> AccessRuleCheckResult
    /// Looks at what a list file holds.
    func check(list bytes: [UInt8]) -> AccessRuleCheckResult
    /// Looks at a MaxMind database that has to say this of addresses. Returns what is wrong with it.
    func check(database path: String, for keys: Set<AccessRuleCheckResult.LocationKey>) -> String?
}
