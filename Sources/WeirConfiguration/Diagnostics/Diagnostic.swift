/// One finding about a configuration: what was found, what was expected, and where.
public struct Diagnostic: Sendable, Hashable {
    /// Whether the file can still be used.
    public enum Severity: String, Sendable, Hashable {
        /// The file is refused.
        case error
        /// The file is used, but probably does not do what was meant.
        case warning
    }

    /// The origin that it concerns; a file without a line where it concerns the file as a whole, which for example
    /// cannot be opened.
    public let origin: Origin
    /// Whether the file can still be used.
    public let severity: Severity
    /// The finding, in one line, without a full stop.
    public let message: String
    /// The text that was probably meant, exactly as it can be written instead.
    public let suggestion: String?

    /// The file as the user named it, or the container.
    public var file: String { origin.source }
    /// The location within the file, where there is one.
    public var location: SourceLocation? { origin.location }
    /// The line, from 1, where there is one.
    public var line: Int? { location?.line }
    /// The column, from 1, where there is one.
    public var column: Int? { location?.column }

    /// Makes a finding about a file.
    public init(
        file: String, location: SourceLocation?, severity: Severity = .error, message: String,
        suggestion: String? = nil
    ) {
        self.init(origin: .file(file, location), severity: severity, message: message, suggestion: suggestion)
    }

    /// Makes a finding.
    public init(origin: Origin, severity: Severity = .error, message: String, suggestion: String? = nil) {
        self.origin = origin
        self.severity = severity
        self.message = message
        self.suggestion = suggestion
    }
}

extension Diagnostic: CustomStringConvertible {
    /// `FILE:LINE:COLUMN: error: message; did you mean ...?`, as compilers print it, so that editors can jump to it.
    public var description: String {
        var text = "\(origin): \(severity.rawValue): \(message)"
        if let suggestion { text += "; did you mean `\(suggestion)`?" }
        // One line of printable text, whatever a source of it has left.
        return escaped(text)
    }
}

extension Diagnostic: Comparable {
    /// Orders diagnostics by file and location (those without a location first), then by text, so that every run
    /// prints the same.
    public static func < (left: Diagnostic, right: Diagnostic) -> Bool {
        if left.origin != right.origin { return left.origin < right.origin }
        return left.message < right.message
    }
}

/// Every error of a configuration file, in the order of their locations. Warnings found on the way are in it too.
public struct ConfigurationErrors: Error, Sendable, Hashable {
    /// The diagnostics, sorted; at least one of them is an error.
    public let diagnostics: [Diagnostic]
    /// Files beside the configuration that were looked at: a change of one may mend it.
    public let dependencies: [FileDependency]

    /// Wraps diagnostics, sorting them by origin.
    public init(_ diagnostics: [Diagnostic], dependencies: [FileDependency] = []) {
        self.diagnostics = diagnostics.sorted()
        self.dependencies = dependencies
    }
}

extension ConfigurationErrors: CustomStringConvertible {
    /// One line for each finding.
    public var description: String { diagnostics.map(\.description).joined(separator: "\n") }
}
