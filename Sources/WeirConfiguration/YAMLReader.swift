import Yams

/// Reads YAML text into ``ConfigurationNode``, noting every error with its place.
///
/// Values are taken as text, whatever type YAML would give them; the readers of the fields know what they expect.
struct YAMLReader {
    /// The most values that aliases may add; written ones are bounded by the size of the file.
    static let largestExpansion = 100_000
    /// The deepest nesting; a configuration needs four levels.
    static let deepestNesting = 32

    let environment: [String: String]
    let findings: FileFindings

    /// The document's root. Nil if there is none or it cannot be read; the reason is noted.
    func read(_ text: String) -> ConfigurationNode? {
        if let place = AliasGuard.placeOfComplexKey(in: text) {
            findings.error(place, "expected a name as key: a file with aliases may have no others")
            return nil
        }
        var source = YAMLSource(text)
        guard let node = compose(&source) else { return nil }
        var converter = YAMLConverter(environment: environment, source: source, findings: findings)
        let root = converter.convertRoot(node)
        if converter.isExhausted { return nil }
        return root
    }

    /// Yams stops at the first mapping with a duplicate key. Renaming the one it names in a copy of the text and trying
    /// again finds the others too, and everything else that is wrong; ``YAMLSource`` remembers the true names.
    private func compose(_ source: inout YAMLSource) -> Node? {
        for _ in 0..<YAMLSource.mostRenamings {
            do {
                let root = try Yams.compose(yaml: source.text, .basic, .default, .utf8)
                if root == nil { noteEmpty() }
                return root
            } catch YamlError.duplicatedKeysInMapping(let keys, let context) {
                let place = SourceLocation(context.mark)
                if source.rename(keyAt: place) { continue }
                findings.error(place, "duplicate key \(keys.map(quoted).joined(separator: ", "))")
                return nil
            } catch {
                note(error)
                return nil
            }
        }
        findings.error(nil, "found more than \(YAMLSource.mostRenamings) duplicate keys")
        return nil
    }

    func noteEmpty() {
        findings.error(
            SourceLocation(line: 1, column: 1), "expected `routes:` with at least one route, found an empty file")
    }

    private func note(_ error: any Error) {
        switch error {
        case YamlError.composer(_, let problem, let mark, _) where problem == "but found another document":
            findings.error(SourceLocation(mark), "expected one YAML document, found a second one")
        case YamlError.composer(let context, let problem, let mark, _),
            YamlError.scanner(let context, let problem, let mark, _),
            YamlError.parser(let context, let problem, let mark, _):
            let place = SourceLocation(mark)
            let around = context.map { context in
                let start = SourceLocation(context.mark)
                return start == place ? " \(context.text)" : " \(context.text) that starts at \(start)"
            }
            findings.error(place, "invalid YAML: \(problem)\(around ?? "")")
        case YamlError.reader(let problem, _, _, _):
            findings.error(nil, "invalid YAML: \(problem)")
        default:
            findings.error(nil, "invalid YAML")
        }
    }
}

extension SourceLocation {
    /// Yams counts as this type does.
    init(_ mark: Mark) {
        self.init(line: mark.line, column: mark.column)
    }
}
