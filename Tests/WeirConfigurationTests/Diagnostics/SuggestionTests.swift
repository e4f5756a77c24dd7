import Testing

@testable import WeirConfiguration

@Suite("Suggestions and printing") struct SuggestionTests {
    @Test(
        "Near words are found, far ones are not",
        arguments: [
            ("ruotes", "routes"), ("route", "routes"), ("Routes", "routes"), ("dial-timeout", "dial_timeout"),
            ("dialtimeout", "dial_timeout"), ("prot", "port"), ("hosts", "host"), ("x", nil), ("", nil),
            ("upstream", nil),
            (String(repeating: "a", count: 100_000), nil),
        ] as [(String, String?)])
    func suggests(word: String, expected: String?) {
        #expect(nearMiss(of: word, among: ["routes", "dial_timeout", "port", "host", "log"]) == expected)
    }

    @Test("Edit distance counts swaps of neighbors as one")
    func distance() {
        #expect(editDistance(Array("ab".utf8), Array("ba".utf8)) == 1)
        #expect(editDistance(Array("kitten".utf8), Array("sitting".utf8)) == 3)
        #expect(editDistance([], Array("abc".utf8)) == 3)
    }

    @Test("Findings print as compilers do")
    func prints() {
        let location = SourceLocation(line: 3, column: 7)
        #expect(
            "\(Diagnostic(file: "f", location: location, message: "m", suggestion: "s"))"
                == "f:3:7: error: m; did you mean `s`?")
        #expect("\(Diagnostic(file: "f", location: nil, severity: .warning, message: "m"))" == "f: warning: m")
    }

    @Test("Text from outside is escaped and cut")
    func quotes() {
        #expect(quoted("a\u{1b}[31m\n\u{202e}") == "`a\\u{1b}[31m\\u{a}\\u{202e}`")
        #expect(quoted(String(repeating: "a", count: 100)) == "`" + String(repeating: "a", count: 60) + "…`")
        #expect(quoted("") == "empty text")
    }
}
