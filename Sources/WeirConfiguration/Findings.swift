/// Collects the findings about one file, so that one run reports all of them.
///
/// The same text at the same place is kept once: a bad value behind an anchor is read wherever an alias stands.
final class Findings {
    private let file: String
    private var seen: Set<Diagnostic> = []

    init(file: String) {
        self.file = file
    }

    /// Whether the file must be refused.
    private(set) var hasErrors = false

    /// What was found, by place.
    var sorted: [Diagnostic] { seen.sorted() }

    /// Notes an error. Without a place it is about the whole file.
    func error(_ place: SourceLocation?, _ message: String, suggestion: String? = nil) {
        hasErrors = true
        seen.insert(Diagnostic(file: file, location: place, message: message, suggestion: suggestion))
    }

    /// Notes an error in another file, one that this one names.
    func error(in file: String, _ place: SourceLocation?, _ message: String, suggestion: String?) {
        hasErrors = true
        seen.insert(Diagnostic(file: file, location: place, message: message, suggestion: suggestion))
    }

    /// Notes what can be used but was probably not meant.
    func warning(_ place: SourceLocation?, _ message: String, suggestion: String? = nil) {
        seen.insert(
            Diagnostic(file: file, location: place, severity: .warning, message: message, suggestion: suggestion))
    }
}
