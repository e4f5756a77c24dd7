import Foundation
import TestSupport
import Testing
import WeirConfiguration
import WeirProxy

/// The tables of the README are made from the code. With `WEIR_WRITE_README=1` in the environment the test writes them
/// into the file instead of comparing.
@Suite(.serialized)
struct GeneratedReadmeTests {
    struct Section: Sendable, CustomTestStringConvertible {
        let name: String
        let text: String
        var testDescription: String { name }
    }

    static let sections = [
        Section(name: "settings", text: Configuration.settingReference),
        Section(name: "fields", text: Configuration.fieldReference),
        Section(name: "metrics", text: MetricCatalogue.table),
    ]

    @Test("The README's tables are those that the code gives", arguments: sections)
    func table(section: Section) throws {
        let path = Tool.repository + "/README.md"
        let readme = contents(of: path)
        let begin = try #require(readme.range(of: "<!-- \(section.name):"), "no place for \(section.name)")
        let start = try #require(readme.range(of: "-->\n", range: begin.upperBound..<readme.endIndex)).upperBound
        let end = try #require(
            readme.range(of: "<!-- /\(section.name) -->", range: start..<readme.endIndex)
        ).lowerBound
        guard ProcessInfo.processInfo.environment["WEIR_WRITE_README"] == "1" else {
            #expect(readme[start..<end] == section.text, "run this test with WEIR_WRITE_README=1 to write it anew")
            return
        }
        let written = readme.replacingCharacters(in: start..<end, with: section.text)
        try Data(written.utf8).write(to: URL(fileURLWithPath: path))
    }
}
