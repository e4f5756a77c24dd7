import WeirAccess
import WeirConfiguration

/// What access rules mean, for the reader of the configuration.
struct AccessRules: AccessRuleChecking {
    func check(rule text: String) -> AccessRuleVerdict {
        do throws(AccessRule.ParseError) {
            let rule = try AccessRule(parsing: Array(text.utf8)[...])
            return verdict(needsLocation: rule.needsLocation)
        } catch {
            return AccessRuleVerdict(problems: [.init(error.message, suggestion: error.suggestion)])
        }
    }

    func check(list bytes: [UInt8]) -> AccessRuleVerdict {
        let file = AccessListFile(bytes, name: "")
        var verdict = verdict(needsLocation: file.entries.contains { $0.rule.needsLocation })
        verdict.problems += file.problems.map { .init($0.message, suggestion: $0.suggestion, line: $0.line) }
        return verdict
    }

    func check(database path: String) -> String? {
        do throws(GeoDatabaseFailure) {
            _ = try GeoDatabase(path)
            return nil
        } catch {
            return error.description
        }
    }

    private func verdict(needsLocation: Bool) -> AccessRuleVerdict {
        guard needsLocation, !GeoDatabase.isSupported else { return AccessRuleVerdict(needsDatabase: needsLocation) }
        // One message is enough: without the trait a database would not help.
        return AccessRuleVerdict(problems: [.init("\(GeoDatabaseFailure.notSupported)")])
    }
}
