/// The origin of a part of the configuration.
public enum Origin: Sendable, Hashable {
    /// A file, and the location within it; nil is the file as a whole.
    case file(String, SourceLocation?)
    /// A label of a container; nil is the container as a whole.
    case label(container: String, name: String?)

    /// The file or container, without the location in it.
    public var source: String {
        switch self {
        case .file(let path, _): path
        case .label(let container, _): "container \(quoted(container))"
        }
    }

    /// The location within a file, where there is one.
    public var location: SourceLocation? {
        if case .file(_, let location) = self { location } else { nil }
    }

    /// The folder that paths are relative to; nil where no file may be named.
    var folder: String? {
        guard case .file(let path, _) = self else { return nil }
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// The beginning of its file; a container as it is.
    var start: Origin {
        if case .file(let path, _) = self { .file(path, SourceLocation(line: 1, column: 1)) } else { self }
    }

    /// This origin as a remark in a message on another one: ` (line 5)` in the same file.
    func remark(in other: Origin?) -> String {
        if let location, let other, source == other.source { return " (line \(location.line))" }
        return " (\(self))"
    }

    private var label: String {
        if case .label(_, let name?) = self { name } else { "" }
    }
}

extension Origin: CustomStringConvertible {
    /// `FILE:LINE:COLUMN`, or the container with its label, with what would disturb a terminal escaped.
    public var description: String {
        switch self {
        case .file(let path, let location): location.map { "\(escaped(path)):\($0)" } ?? escaped(path)
        case .label(_, let name): name.map { "\(source), label \(quoted($0))" } ?? source
        }
    }
}

extension Origin: Comparable {
    /// Orders by source, then by the location within it, a source as a whole first.
    public static func < (left: Origin, right: Origin) -> Bool {
        if left.source != right.source { return left.source < right.source }
        let start = SourceLocation(line: 0, column: 0)
        let (leftPlace, rightPlace) = (left.location ?? start, right.location ?? start)
        return leftPlace == rightPlace ? left.label < right.label : leftPlace < rightPlace
    }
}
