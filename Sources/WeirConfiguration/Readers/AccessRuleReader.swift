/// Reads one entry of a list of access rules.
struct AccessRuleReader {
    private static let filePrefix = "file:"

    let context: ReadingContext
    private var diagnostics: Diagnostics { context.diagnostics }
    private var referencedFiles: ReferencedFiles { context.referencedFiles }

    init(context: ReadingContext) {
        self.context = context
    }

    /// One entry; nil after an error that leaves none.
    func read(_ item: ConfigurationNode, _ key: String) -> AccessEntry? {
        switch item.content {
        case .scalar(let text, let written):
            if text.hasPrefix(Self.filePrefix) {
                let name = String(text.dropFirst(Self.filePrefix.count))
                return readList(name, item, key, allowsEmpty: nil, shown: item.fileName)
            }
            let verdict = referencedFiles.rules?.check(rule: text) ?? AccessRuleCheckResult()
            for problem in verdict.problems {
                let source = written == text ? "" : " (from \(quoted(written)))"
                diagnostics.error(item.origin, "`\(key)`: \(problem.message)\(source)", suggestion: problem.suggestion)
            }
            requireDatabase(verdict, item.origin, key, of: quoted(text))
            return AccessEntry(text, judgesNames: verdict.judgesNames)
        case .mapping(let entries) where entries.contains { ListReference.section.keys.supported.contains($0.key) }:
            var list = ListReference()
            guard ListReference.section.read(item, named: "`\(key)`", into: &list, context) else { return nil }
            let name = item["file"]?.fileName ?? "empty text"
            return readList(list.file, item, key, allowsEmpty: list.allowsEmpty, shown: name)
        case .mapping(let entries) where entries.count == 1:
            // `- ip: 192.0.2.7` without quotes is a mapping to YAML.
            if case .scalar(let text, _) = entries[0].value.content {
                diagnostics.error(
                    item.origin, "`\(key)`: expected a rule, found a mapping: a rule has no blank behind its colon",
                    suggestion: "\"\(entries[0].key):\(text)\"")
                return nil
            }
            fallthrough
        case .mapping, .sequence, .null:
            diagnostics.error(
                item.origin, "`\(key)`: expected a rule such as `cidr:198.51.100.0/24`, found \(item.found)")
            return nil
        case .refused: return nil
        }
    }

    /// `file:blocklist.txt`: what is wrong within it is told with its own name and line.
    private func readList(
        _ name: String, _ item: ConfigurationNode, _ key: String, allowsEmpty: Bool?, shown: String
    ) -> AccessEntry? {
        let text = Self.filePrefix + name
        guard !name.isEmpty, referencedFiles.opensFiles else {
            diagnostics.error(item.origin, "`\(key)`: expected a file such as `file:blocklist.txt`, found \(shown)")
            return nil
        }
        var file: AccessEntry.File
        do throws(ValueError) {
            file = try referencedFiles.list(referencedFiles.resolve(name, from: item.origin))
        } catch {
            diagnostics.error(item.origin, "`\(key)`: \(shown): \(error.message)")
            return nil
        }
        let verdict = referencedFiles.checkResult(of: file)
        for problem in verdict.problems {
            diagnostics.error(
                .file(file.path, problem.line.map { SourceLocation(line: $0, column: 1) }), problem.message,
                suggestion: problem.suggestion)
        }
        requireDatabase(verdict, item.origin, key, of: "a rule in \(shown)")
        file = AccessEntry.File(
            path: file.path, bytes: file.bytes, ruleCount: verdict.ruleCount, judgesNames: verdict.judgesNames)
        if verdict.problems.isEmpty, verdict.ruleCount == 0 {
            checkEmpty(file.path, item.origin, key, allowsEmpty: allowsEmpty)
        }
        return AccessEntry(text, file: file, allowsEmpty: allowsEmpty)
    }

    /// A list without a rule is more often a mistake of what writes it than meant.
    private func checkEmpty(_ path: String, _ origin: Origin, _ key: String, allowsEmpty: Bool?) {
        let before = referencedFiles.ruleCountBefore(of: path)
        switch allowsEmpty {
        case true?: break
        case false?:
            diagnostics.error(
                origin, "`\(key)`: expected at least one rule in \(quoted(path)) with `allow_empty: false`, found none")
        case nil where before > 0:
            diagnostics.error(
                origin,
                "`\(key)`: expected rules in \(quoted(path)), which had \(before), found none; where that is meant, "
                    + "write `{ file: …, allow_empty: true }`")
        case nil:
            diagnostics.warning(origin, "`\(key)`: \(quoted(path)) has no rule, and so stands for nothing")
        }
    }

    private func requireDatabase(_ verdict: AccessRuleCheckResult, _ origin: Origin, _ key: String, of rule: String) {
        referencedFiles.need(verdict.locationKeys)
        guard !verdict.locationKeys.isEmpty, !context.hasDatabase else { return }
        diagnostics.error(
            origin,
            "`\(key)`: \(rule) needs a database that says where addresses are, and none is configured: set "
                + "`geoip: { database: … }`")
    }
}

/// A list file as a mapping.
struct ListReference {
    var file = ""
    var allowsEmpty: Bool?

    static let section = Section<ListReference>([
        Setting(
            "file", \.file, .listFile, default: "required", required: "a `file`",
            "The path of a list file, relative to the file that names it."),
        Setting(
            "allow_empty", \.allowsEmpty, .withAlternative(.flag),
            "Whether the file may be without a rule: `true` always, `false` never."),
    ])
}
