/// Collects the findings about a configuration, so that one run reports all of them.
///
/// The same text at the same location is kept once: a bad value behind an anchor is read wherever an alias stands.
final class Diagnostics {
    private var seen: Set<Diagnostic> = []

    /// Whether the configuration must be refused.
    private(set) var hasErrors = false

    /// All findings, by origin.
    var sorted: [Diagnostic] { seen.sorted() }

    /// Notes an error.
    func error(_ origin: Origin, _ message: String, suggestion: String? = nil) {
        add(Diagnostic(origin: origin, message: message, suggestion: suggestion))
    }

    /// Notes what can be used but was probably not meant.
    func warning(_ origin: Origin, _ message: String, suggestion: String? = nil) {
        add(Diagnostic(origin: origin, severity: .warning, message: message, suggestion: suggestion))
    }

    /// Takes over a finding.
    func add(_ diagnostic: Diagnostic) {
        if diagnostic.severity == .error { hasErrors = true }
        seen.insert(diagnostic)
    }
}

/// The findings about the text of one file, before it is a tree.
struct FileDiagnostics {
    let file: String
    let diagnostics: Diagnostics

    /// Notes an error. Without a location it concerns the whole file.
    func error(_ location: SourceLocation?, _ message: String, suggestion: String? = nil) {
        diagnostics.error(.file(file, location), message, suggestion: suggestion)
    }
}
