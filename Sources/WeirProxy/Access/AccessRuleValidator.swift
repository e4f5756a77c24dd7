import WeirAccess
import WeirConfiguration

/// The judge of access rules for the reader of the configuration.
struct AccessRuleValidator: AccessRuleValidation {
    func check(rule text: String) -> AccessRuleCheckResult {
        do throws(AccessRule.ParseError) {
            let rule = try AccessRule(parsing: Array(text.utf8)[...])
            return verdict([rule])
        } catch {
            return AccessRuleCheckResult(problems: [.init(error.message, suggestion: error.suggestion)])
        }
    }

    func check(list bytes: [UInt8]) -> AccessRuleCheckResult {
        let file = AccessListFile(bytes, name: "")
        var verdict = verdict(file.entries.lazy.map(\.rule))
        verdict.ruleCount = file.entries.count
        verdict.problems += file.problems.map { .init($0.message, suggestion: $0.suggestion, line: $0.line) }
        return verdict
    }

    func check(database path: String, for keys: Set<AccessRuleCheckResult.LocationKey>) -> String? {
        do throws(GeoDatabaseFailure) {
            let database = try GeoDatabase(path)
            return Self.lack(of: database, for: keys.map(\.kind))
        } catch {
            return error.description
        }
    }

    /// The data that rules of these kinds need and a database lacks; nil where it has all.
    static func lack(of database: GeoDatabase, for kinds: [AccessRuleKind]) -> String? {
        let missing = database.missing(kinds)
        if missing.isEmpty { return nil }
        let needs = missing.map { $0 == .country ? "countries, for `country:` rules" : "time zones, for `tz:` rules" }
        return "expected a database with \(needs.joined(separator: " and ")), found one of the type "
            + "\(database.shownType) without"
    }

    private func verdict(_ rules: some Sequence<AccessRule>) -> AccessRuleCheckResult {
        let keys = Set(rules.compactMap { AccessRuleCheckResult.LocationKey($0.kind) })
        guard !keys.isEmpty, !GeoDatabase.isSupported else {
            return AccessRuleCheckResult(locationKeys: keys, judgesNames: rules.contains { $0.kind == .name })
        }
        // One message is enough: without the trait a database would not help.
        return AccessRuleCheckResult(problems: [.init("\(GeoDatabaseFailure.notSupported)")])
    }
}

extension AccessRuleCheckResult.LocationKey {
    /// The key that rules of a kind need; nil for those that name addresses themselves.
    fileprivate init?(_ kind: AccessRuleKind) {
        switch kind {
        case .country: self = .country
        case .timezone: self = .timezone
        case .ip, .cidr, .local, .default, .name: return nil
        }
    }

    fileprivate var kind: AccessRuleKind {
        switch self {
        case .country: .country
        case .timezone: .timezone
        }
    }
}
