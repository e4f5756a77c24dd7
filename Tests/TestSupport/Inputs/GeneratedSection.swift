import Foundation

/// A part of a page in `docs` that is made from the program: it stands between the marks `<!-- NAME: … -->` and
/// `<!-- /NAME -->`.
package struct GeneratedSection: Sendable, CustomStringConvertible {
    private let page: String
    private let name: String
    /// The text that the program gives, with the end of its last line.
    private let text: String

    package var description: String { "\(page): \(name)" }

    package init(page: String, name: String, text: String) {
        self.page = page
        self.name = name
        self.text = text
    }

    /// Compares the page with the text. With `WEIR_WRITE_DOCS=1` in the environment the text is written into the page
    /// instead.
    /// - Returns: the text that stands in the page in its stead; nil where they agree.
    package func staleText() throws -> String? {
        let path = Tool.repository + "/" + page
        let old = contents(of: path)
        guard let begin = old.range(of: "<!-- \(name):"),
            let start = old.range(of: "-->\n", range: begin.upperBound..<old.endIndex)?.upperBound,
            let end = old.range(of: "<!-- /\(name) -->", range: start..<old.endIndex)?.lowerBound
        else { return "\(page) has no marks for \(name)" }
        if old[start..<end] == text { return nil }
        guard ProcessInfo.processInfo.environment["WEIR_WRITE_DOCS"] == "1" else { return String(old[start..<end]) }
        try Data(old.replacingCharacters(in: start..<end, with: text).utf8).write(to: URL(fileURLWithPath: path))
        return nil
    }
}
