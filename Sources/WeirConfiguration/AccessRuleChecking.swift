/// What is wrong with access rules.
public struct AccessRuleVerdict: Sendable {
    /// One thing that is wrong.
    public struct Problem: Sendable {
        /// What was expected and found, in one line.
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

    /// All that is wrong; nothing where the rules can be used.
    public var problems: [Problem]
    /// Whether a database has to be asked for some of them.
    public var needsDatabase: Bool

    /// Makes a verdict.
    public init(problems: [Problem] = [], needsDatabase: Bool = false) {
        self.problems = problems
        self.needsDatabase = needsDatabase
    }
}

/// Who knows what access rules mean. This module knows only where they stand, and asks while it reads a file, so that
/// what is wrong with a rule is told together with everything else.
public protocol AccessRuleChecking: Sendable {
    /// Looks at a rule of the configuration.
    func check(rule text: String) -> AccessRuleVerdict
    /// Looks at what a list file holds.
    func check(list bytes: [UInt8]) -> AccessRuleVerdict
    /// Looks at a MaxMind database. Returns what is wrong with it.
    func check(database path: String) -> String?
}
