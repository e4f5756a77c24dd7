// The values of labels, read as a file's are.

extension ConfigurationNode {
    /// The most values that aliases may add to one label.
    private static var maxLabelExpansion: Int { 1_000 }

    /// Reads the text of a label as YAML. Every node has `origin`, and variables are not expanded: labels come with
    /// images. Pure.
    /// - Returns: the value, nil after an error, and the errors, which name the line where there are several.
    package static func reading(label text: String, at origin: Origin) -> (ConfigurationNode?, [Diagnostic]) {
        let all = Diagnostics()
        let file = FileDiagnostics(file: "label", diagnostics: all)
        var reader = YAMLReader(environment: [:], diagnostics: file)
        reader.expandsVariables = false
        reader.expansionLimit = maxLabelExpansion
        let root = reader.read(text)
        let problems = all.sorted.map { problem in
            let line = problem.line.map { $0 > 1 ? "line \($0): " : "" } ?? ""
            return Diagnostic(
                origin: origin, severity: problem.severity, message: line + problem.message,
                suggestion: problem.suggestion)
        }
        return (all.hasErrors ? nil : root?.moved(to: origin), problems)
    }

    /// The same tree with another origin.
    private func moved(to origin: Origin) -> ConfigurationNode {
        switch content {
        case .mapping(let entries):
            ConfigurationNode(
                origin: origin,
                content: .mapping(
                    entries.map { Entry(key: $0.key, keyOrigin: origin, value: $0.value.moved(to: origin)) }))
        case .sequence(let items):
            ConfigurationNode(origin: origin, content: .sequence(items.map { $0.moved(to: origin) }))
        case .scalar, .null, .refused: ConfigurationNode(origin: origin, content: content)
        }
    }
}

/// A text from outside as a message shows it: in backquotes, with control characters escaped, and at most 60
/// characters of it.
package func shown(_ text: String) -> String { quoted(text) }
