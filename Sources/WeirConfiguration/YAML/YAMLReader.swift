/// Reads YAML text into ``ConfigurationNode``, noting every error with its location.
///
/// Values are taken as text, whatever type YAML would give them; the readers of the fields know what they expect.
struct YAMLReader {
    /// The most values that aliases may add; written ones are bounded by the size of the file.
    static let maxExpansion = 100_000
    /// The deepest nesting; a configuration needs four levels.
    static let maxNesting = 32

    let environment: [String: String]
    let diagnostics: FileDiagnostics
    /// Whether `${NAME}` stands for a variable.
    var expandsVariables = true
    /// The most values that aliases may add to this text.
    var expansionLimit = maxExpansion

    /// The document's root. Nil if there is none or it cannot be read; the reason is noted.
    func read(_ text: String) -> ConfigurationNode? {
        do throws(YAMLError) {
            var composer = try YAMLComposer(text)
            guard let node = try composer.compose() else {
                noteEmpty()
                return nil
            }
            var converter = YAMLConverter(
                environment: environment, diagnostics: diagnostics, expandsVariables: expandsVariables,
                expansionLimit: expansionLimit)
            let root = converter.convertRoot(node)
            return converter.isExhausted ? nil : root
        } catch {
            if let advice = YAMLAdvice(on: error, in: text) {
                diagnostics.error(advice.location, advice.message, suggestion: advice.suggestion)
            } else {
                diagnostics.error(error.location, error.message)
            }
            return nil
        }
    }

    func noteEmpty() {
        diagnostics.error(
            SourceLocation(line: 1, column: 1), "expected `routes:` with at least one route, found an empty file")
    }
}
