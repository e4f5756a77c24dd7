import Foundation
import TestSupport
import Testing
import WeirConfiguration
import WeirProxy

/// The tables in `docs` are made from the code. With `WEIR_WRITE_DOCS=1` in the environment the test writes them into
/// the pages instead of comparing.
@Suite(.serialized)
struct GeneratedPageTests {
    struct Section: Sendable, CustomTestStringConvertible {
        let page: String
        let name: String
        let text: String
        var testDescription: String { "\(page): \(name)" }
    }

    static let sections = [
        Section(page: "docs/settings.md", name: "settings", text: Configuration.settingReference),
        Section(page: "docs/settings.md", name: "fields", text: Configuration.fieldReference),
        Section(page: "docs/metrics.md", name: "metrics", text: MetricCatalogue.table),
    ]

    @Test("The tables of the pages are those that the code gives", arguments: sections)
    func table(section: Section) throws {
        let path = Tool.repository + "/" + section.page
        let page = contents(of: path)
        let begin = try #require(page.range(of: "<!-- \(section.name):"), "no mark for \(section.name)")
        let start = try #require(page.range(of: "-->\n", range: begin.upperBound..<page.endIndex)).upperBound
        let end = try #require(page.range(of: "<!-- /\(section.name) -->", range: start..<page.endIndex)).lowerBound
        guard ProcessInfo.processInfo.environment["WEIR_WRITE_DOCS"] == "1" else {
            #expect(page[start..<end] == section.text, "run this test with WEIR_WRITE_DOCS=1 to write it anew")
            return
        }
        let written = page.replacingCharacters(in: start..<end, with: section.text)
        try Data(written.utf8).write(to: URL(fileURLWithPath: path))
    }
}
