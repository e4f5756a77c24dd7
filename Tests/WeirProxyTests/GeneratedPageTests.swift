import TestSupport
import Testing
import WeirConfiguration
import WeirProxy

/// The tables in `docs` are made from the code.
@Suite(.serialized)
struct GeneratedPageTests {
    static let sections = [
        GeneratedSection(page: "docs/settings.md", name: "settings", text: Configuration.settingReference),
        GeneratedSection(page: "docs/settings.md", name: "fields", text: Configuration.fieldReference),
        GeneratedSection(page: "docs/metrics.md", name: "metrics", text: MetricCatalogue.table),
    ]

    @Test("The tables of the pages are those that the code gives", arguments: sections)
    func table(section: GeneratedSection) throws {
        let stale = try section.staleText()
        #expect(stale == nil, "run this test with WEIR_WRITE_DOCS=1 to write it anew")
    }
}
