import NetworkTypes

/// The rules of one allow or deny list, ready to be asked. Immutable; the routes that have it in common share it.
public final class AccessList: Sendable {
    /// A rule and where it comes from. The name of a list file is shared by all of its rules.
    public struct Entry: Hashable, Sendable {
        /// The rule.
        public let rule: AccessRule
        /// As it is written.
        public let text: String
        /// The list file that it stands in; nil for one in the configuration itself.
        public let list: String?
        /// Its line in that file, from 1.
        public let line: UInt32

        /// A rule as it was found.
        public init(_ rule: AccessRule, text: String, list: String? = nil, line: UInt32 = 0) {
            self.rule = rule
            self.text = text
            self.list = list
            self.line = line
        }

        /// `blocklist.txt:17`; nil for a rule in the configuration itself.
        public var origin: String? { list.map { "\($0):\(line)" } }
    }

    /// The list without rules.
    public static let empty = AccessList([])

    private let entries: [Entry]
    private let prefixes: PrefixTable
    private let countries: [CountryCode: UInt32]
    private let timezones: [String: UInt32]
    private let names: NameTable
    /// The kinds of rule in the list, in the order of their enumeration.
    public let kinds: [AccessRuleKind]

    /// Orders the rules. Among rules about the same the first one is named.
    public init(_ entries: [Entry]) {
        self.entries = entries
        let numbered = entries.enumerated().lazy
        prefixes = PrefixTable(
            numbered.compactMap { number, entry in
                entry.rule.prefix.map { (prefix: $0, value: UInt32(truncatingIfNeeded: number)) }
            })
        var countries: [CountryCode: UInt32] = [:]
        var timezones: [String: UInt32] = [:]
        var names: [(pattern: ServerNamePattern, value: UInt32)] = []
        var kinds: Set<AccessRuleKind> = []
        for (number, entry) in entries.enumerated() {
            kinds.insert(entry.rule.kind)
            let value = UInt32(truncatingIfNeeded: number)
            switch entry.rule.target {
            case .country(let code) where countries[code] == nil: countries[code] = value
            case .timezone(let name) where timezones[name] == nil: timezones[name] = value
            case .name(let pattern): names.append((pattern, value))
            default: break
            }
        }
        self.countries = countries
        self.timezones = timezones
        self.names = NameTable(names)
        self.kinds = AccessRuleKind.allCases.filter(kinds.contains)
    }

    /// How many rules it has.
    public var count: Int { entries.count }
    /// Whether it has no rule.
    public var isEmpty: Bool { entries.isEmpty }
    /// Whether a database has to be asked for some rules.
    public var needsLocation: Bool { !countries.isEmpty || !timezones.isEmpty }

    /// Whether some rules look at the names in certificates.
    public var judgesNames: Bool { !names.isEmpty }

    /// A rule by the number that a match gave.
    public subscript(number: Int) -> Entry { entries[number] }

    /// The rule that matches one of the names in a certificate.
    func match(names: [String]) -> Int? { self.names.value(of: names).map(Int.init) }

    /// The rule that matches a client: of several the most specific one. A name outranks a block, that a time zone, and
    /// that a country. `location` is asked only where no block matches and the list has rules that need it.
    func match(_ address: IPAddress, names: [String] = [], location: () -> AddressLocation) -> Int? {
        if !names.isEmpty, let number = match(names: names) { return number }
        if let number = prefixes.value(around: address) { return Int(number) }
        guard needsLocation else { return nil }
        let location = location()
        if let name = location.timezone, let number = timezones[AccessRule.zoneKey(name)] { return Int(number) }
        return location.country.flatMap { countries[$0] }.map(Int.init)
    }
}
