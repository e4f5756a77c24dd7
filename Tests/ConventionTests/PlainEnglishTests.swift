import Foundation
import Testing

@Suite("Plain English, and folders that a reader takes in")
struct PlainEnglishTests {
    @Test("every comment, message and page keeps to it")
    func wholeHouse() throws {
        let kinds: Set = ["swift", "md", "py", "yml", "h", "c", "service"]
        let files = try Checkout.files { path in
            let name = path.split(separator: "/").last ?? ""
            return name.contains(".") && kinds.contains(String(name.split(separator: ".").last ?? ""))
        }
        #expect(files.count > 500)
        // The rules name what they forbid.
        let judged = files.filter { !$0.path.contains("HouseRules") && !$0.path.contains("PlainEnglishTests") }
        for finding in judged.flatMap(HouseRules.english) { Issue.record("\(finding)") }
    }

    @Test("no folder of sources or tests is crowded")
    func folders() throws {
        let files = try Checkout.swiftFiles(under: "Sources") + Checkout.swiftFiles(under: "Tests")
        #expect(HouseRules.crowdedFolders(among: files.map(\.path)) == [])
    }

    @Test(
        "offenses are found",
        arguments: [
            ("/// What a read came to.", 2), ("/// The outcome of a read.", 0), ("/// Whether it ends.", 0),
            ("    /// Where it is.", 1), ("/// Whereas it is.", 0), ("let a = \"nobody listens\"", 1),
            ("// dialled again", 1), ("// dialed again", 0), ("/// One that is open.", 1), ("/// One address.", 0),
            ("// " + String(repeating: "x", count: 118), 1), ("// " + String(repeating: "x", count: 117), 0),
            (String(repeating: "x", count: 121), 0),
        ])
    func offenses(line: String, count: Int) {
        let file = SourceFile(path: "Sources/LinuxIO/A.swift", text: line + "\n")
        #expect(HouseRules.english(in: file).count == count)
    }

    @Test("only the first line of a comment is an opener, and pages have no columns")
    func limits() {
        let comment = SourceFile(
            path: "Sources/A/A.swift", text: "/// The state\n/// of what it is.\n/// What it is.\n")
        #expect(HouseRules.english(in: comment) == [])
        let header = SourceFile(path: "Sources/CLinux/include/a.h", text: "    /// Where it goes.\n")
        #expect(HouseRules.english(in: header).count == 1)
        let page = SourceFile(path: "docs/a.md", text: String(repeating: "x ", count: 200) + "\nWhat it does\n")
        #expect(HouseRules.english(in: page) == [])
        let crowd = (0...HouseRules.maxFilesInFolder).map { "Sources/A/\($0).swift" }
        #expect(HouseRules.crowdedFolders(among: crowd) == ["Sources/A: 19 files"])
        #expect(HouseRules.crowdedFolders(among: Array(crowd.dropLast())) == [])
    }
}
