import Foundation
import Testing

/// The page of threats says nothing that no test proves.
@Suite("The page of threats")
struct ThreatsTests {
    @Test("every row names a test that exists, in the file that has it")
    func testsExist() throws {
        let rows = try Self.rows(of: Checkout.text("docs/threats.md"))
        #expect(rows.count > 40)
        for row in rows {
            let proof = try #require(Self.proof(in: row), "no test: \(row)")
            let text = try? Checkout.text("Tests/" + proof.file)
            #expect(text != nil, "no such file: \(proof.file)")
            #expect(text.map { Self.holds($0, proof.name) } == true, "\(proof.file) has no test \(proof.name)")
        }
    }

    @Test("behind the introduction there are headings and rows only, so that each statement has its test")
    func onlyRows() throws {
        let text = try Checkout.text("docs/threats.md")
        let lines = text.components(separatedBy: "\n").drop { !$0.hasPrefix("## ") }
        let isKnown = { (line: String) in line.isEmpty || ["## ", "| ", "|---"].contains { line.hasPrefix($0) } }
        #expect(lines.filter { !isKnown($0) } == [])
        let headings = lines.filter { $0.hasPrefix("## ") }
        for peer in ["A client", "A proxy in front", "A neighbor on the host", "The author of a list file"] {
            #expect(headings.contains("## " + peer))
        }
    }

    @Test("a row without a test, and a test that is gone, are found")
    func search() {
        #expect(Self.proof(in: "| It cannot. | 5 | `A/B.swift`: *it cannot* |")?.name == "it cannot")
        #expect(Self.proof(in: "| It cannot. | 5 | somewhere |") == nil)
        #expect(Self.holds("@Test(\"it cannot\") func a() {}", "it cannot"))
        #expect(Self.holds("@Test func `it cannot`() {}", "it cannot"))
        #expect(!Self.holds("// it cannot", "it cannot"))
        #expect(Self.rows(of: "| statement | b | c |\n|---|---|---|\n| x | y | z |\n") == ["| x | y | z |"])
    }

    private static func rows(of text: String) -> [String] {
        text.components(separatedBy: "\n").filter { $0.hasPrefix("| ") && !$0.hasPrefix("| statement |") }
    }

    private static func proof(in row: String) -> (file: String, name: String)? {
        guard let match = row.firstMatch(of: /\| `([^`|]+\.swift)`: \*([^*|]+)\* \|$/) else { return nil }
        return (String(match.1), String(match.2))
    }

    private static func holds(_ text: String, _ name: String) -> Bool {
        text.contains("\"\(name)\"") || text.contains("func `\(name)`")
    }
}
