import NetworkTypes

/// `acl:`, who may use the routes. Rules are kept as they are written: what they mean is not known here.
public struct AccessConfiguration: Sendable, Equatable {
    /// `acl.log`, one line for each decision.
    public struct Log: Sendable, Equatable {
        /// The file that lines are appended to; nil is standard output, among the other lines.
        public var path: String?
        /// Whether clients that pass are logged too.
        public var logAllowed: Bool

        /// Makes the section; defaults as documented.
        public init(path: String? = nil, logAllowed: Bool = false) {
            self.path = path
            self.logAllowed = logAllowed
        }
    }

    /// The action for clients that no rule matches.
    public var defaultAction: AccessAction
    /// Whether addresses of private networks pass before the default.
    public var allowLocal: Bool
    /// The clients that are let in, on every route.
    public var allow: [AccessEntry]
    /// The clients that are denied, on every route.
    public var deny: [AccessEntry]
    /// The log of decisions; nil for none.
    public var log: Log?

    /// Makes the section; defaults as documented.
    public init(
        defaultAction: AccessAction = .allow, allowLocal: Bool = true, allow: [AccessEntry] = [],
        deny: [AccessEntry] = [],
        log: Log? = nil
    ) {
        self.defaultAction = defaultAction
        self.allowLocal = allowLocal
        self.allow = allow
        self.deny = deny
        self.log = log
    }
}

/// `acl:` of a route.
public struct RouteAccessConfiguration: Sendable, Equatable {
    /// The action for clients that none of the route's rules matches; nil leaves them to the global section.
    public var defaultAction: AccessAction?
    /// The clients that are let in.
    public var allow: [AccessEntry]
    /// The clients that are denied.
    public var deny: [AccessEntry]

    /// Makes the section; nothing in it unless told.
    public init(
        defaultAction: AccessAction? = nil, allow: [AccessEntry] = [], deny: [AccessEntry] = []
    ) {
        self.defaultAction = defaultAction
        self.allow = allow
        self.deny = deny
    }
}

/// An entry of an allow or deny list.
public struct AccessEntry: Sendable, Equatable {
    /// A list file, as it was when the configuration was read.
    public struct File: Sendable, Equatable {
        /// Its path, absolute.
        public let path: String
        /// Its content.
        public let bytes: [UInt8]
        /// How many rules that are; nil where they were not looked at.
        public let ruleCount: Int?
        /// Whether some of those look at the names in certificates of clients.
        public let judgesNames: Bool

        /// Names a file and what it holds.
        public init(path: String, bytes: [UInt8], ruleCount: Int? = nil, judgesNames: Bool = false) {
            self.path = path
            self.bytes = bytes
            self.ruleCount = ruleCount
            self.judgesNames = judgesNames
        }
    }

    /// As it is written.
    public let text: String
    /// The rules of a `file:` entry.
    public let file: File?
    /// Whether the file may be without a rule: `true` is always, `false` never. Nil is at the start, with a warning,
    /// but not at a reload where it had rules before.
    public let allowsEmpty: Bool?
    /// Whether it looks at the names in certificates of clients, or its file has such a rule.
    public let judgesNames: Bool

    /// Makes an entry; nothing is validated.
    public init(_ text: String, file: File? = nil, allowsEmpty: Bool? = nil, judgesNames: Bool = false) {
        self.text = text
        self.file = file
        self.allowsEmpty = allowsEmpty
        self.judgesNames = judgesNames || file?.judgesNames == true
    }
}

extension AccessEntry: Hashable {
    /// The text is enough: what a list file holds is long, and seldom differs where the text does not.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(text)
    }
}

extension Configuration {
    /// Every entry of every list, those of routes included.
    public var accessEntries: [AccessEntry] {
        access.deny + access.allow + routes.flatMap { ($0.access?.deny ?? []) + ($0.access?.allow ?? []) }
    }

    /// How many rules its list files have, by their path, as far as they were looked at.
    var listRuleCounts: [String: Int] {
        let counts = accessEntries.compactMap { entry in
            entry.file.flatMap { file in file.ruleCount.map { (file.path, $0) } }
        }
        return Dictionary(counts, uniquingKeysWith: { first, _ in first })
    }

    /// `geoip:`, the database that says where addresses are.
    public struct GeoIP: Sendable, Equatable {
        /// The MaxMind database.
        public var database: String
        /// The file as it was when the configuration was read: another stamp is another database.
        public var stamp: FileStamp

        /// Names a database.
        public init(database: String, stamp: FileStamp = FileStamp()) {
            self.database = database
            self.stamp = stamp
        }
    }
}
