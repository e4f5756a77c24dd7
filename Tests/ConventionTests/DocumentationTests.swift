import Foundation
import Testing

/// Code in articles must come from programs that are built, which DocC does not check.
@Suite("The documentation of the libraries")
struct DocumentationTests {
    @Test("every piece of Swift in an article stands in a program that is built and run")
    func codeIsCompiled() throws {
        let programs = try Checkout.swiftFiles(under: "Examples").map { Self.trimmed($0.lines) }
        let articles = try #require(FileManager.default.enumerator(atPath: Checkout.root + "/Sources"))
            .compactMap { $0 as? String }.filter { $0.contains(".docc/") && $0.hasSuffix(".md") }
        var pieces = 0
        for path in articles {
            for piece in Self.pieces(of: try Checkout.text("Sources/" + path)) {
                pieces += 1
                #expect(programs.contains { Self.holds($0, piece) }, "\(path): \(piece.joined(separator: "\n"))")
            }
        }
        #expect(pieces > 15)
    }

    @Test("a piece is found whatever its indentation, and only as a whole")
    func search() {
        let text = "Text.\n```swift\nlet a = 1\n    b()\n```\n\n```sh\nls\n```\n"
        #expect(Self.pieces(of: text) == [["let a = 1", "b()"]])
        #expect(Self.holds(["x", "let a = 1", "b()", "y"], ["let a = 1", "b()"]))
        #expect(!Self.holds(["let a = 1", "x", "b()"], ["let a = 1", "b()"]))
        #expect(!Self.holds(["let a = 1"], ["let a = 1", "b()"]))
    }

    /// The lines of each fenced block of Swift.
    private static func pieces(of text: String) -> [[String]] {
        var pieces: [[String]] = []
        var open: [String]?
        for line in text.components(separatedBy: "\n") {
            if let lines = open {
                if line == "```" { pieces.append(trimmed(lines)) }
                open = line == "```" ? nil : lines + [line]
            } else if line == "```swift" {
                open = []
            }
        }
        return pieces
    }

    private static func trimmed(_ lines: [String]) -> [String] {
        lines.map { $0.trimmingCharacters(in: .whitespaces) }
    }

    private static func holds(_ lines: [String], _ piece: [String]) -> Bool {
        guard lines.count >= piece.count else { return false }
        return (0...(lines.count - piece.count)).contains { lines[$0..<$0 + piece.count].elementsEqual(piece) }
    }
}
