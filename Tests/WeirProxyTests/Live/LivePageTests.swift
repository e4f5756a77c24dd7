import Foundation
import Testing
import WeirBalance
import WeirDocker
import WeirStream

@testable import WeirProxy

struct LivePageTests {
    @Test("The page has one style and one script, and asks no other machine for anything")
    func selfContained() {
        let page = LivePage.html
        #expect(page.components(separatedBy: "<script").count == 2 && page.components(separatedBy: "<style").count == 2)
        // The name of a namespace is no request.
        let addresses = page.replacingOccurrences(of: "http://www.w3.org/2000/svg", with: "")
        for foreign in ["http:", "https:", "src=", "@import", "url("] { #expect(!addresses.contains(foreign)) }
        #expect(page.contains("<html lang=\"en\">") && page.hasSuffix("</html>\n"))
    }

    @Test(
        "Nothing makes markup or code of a text",
        arguments: [
            "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "srcdoc",
        ])
    func textOnly(call: String) {
        #expect(!LivePage.html.contains(call))
    }

    @Test("Its policy allows its own script, its own style and its own origin")
    func policy() {
        let directives = LivePage.policy.components(separatedBy: "; ")
        #expect(directives.first == "default-src 'none'" && directives.contains("connect-src 'self'"))
        for kind in ["script-src", "style-src"] {
            #expect(directives.contains { $0.hasPrefix("\(kind) 'sha256-") && $0.hasSuffix("='") })
        }
        #expect(!LivePage.policy.contains("unsafe"))
    }

    /// The reasons, states and causes that the page shows, by their type.
    private static let shown: [(type: String, words: [String])] = [
        ("RejectReason", RejectReason.allCases.map(\.rawValue)),
        ("ConnectionCloseReason", ConnectionCloseReason.allCases.map(\.rawValue)),
        ("SessionCloseReason", SessionCloseReason.allCases.map(\.rawValue)),
        ("DialFailure", DialFailure.allCases.map(\.rawValue)),
        ("DropReason", DropReason.allCases.map(\.rawValue)),
        ("UpstreamErrorReason", UpstreamErrorReason.allCases.map(\.rawValue)),
        ("AcceptErrorReason", AcceptErrorReason.allCases.map(\.rawValue)),
        ("MemberState", MemberState.allCases.map(\.rawValue)),
        ("StateChangeCause", StateChangeCause.allCases.map(\.rawValue)),
        ("ContainerVerdict.State", ContainerVerdict.State.allCases.map(\.rawValue)),
    ]

    /// The keys of a table of the script, such as `refused` of `refused: "connection refused"`.
    private static func keys(of table: String, before mark: String) throws -> Set<String> {
        let page = LivePage.html
        let begin = try #require(page.range(of: "const \(table) = {"))
        let end = try #require(page.range(of: "\n};", range: begin.upperBound..<page.endIndex))
        let parts = page[begin.upperBound..<end.lowerBound].components(separatedBy: ": \(mark)\"")
        return Set(parts.dropLast().map { String($0.split { $0 != "_" && !$0.isLetter }.last ?? "") })
    }

    @Test("Every reason that the page shows has words of its own, and nothing but reasons has")
    func reasons() throws {
        let known = try Self.keys(of: "WORDS", before: "")
        for (type, words) in Self.shown {
            let missing = Set(words).subtracting(known).sorted()
            #expect(missing == [], "\(type): live/model.js has no words for these")
        }
        let unknown = known.subtracting(Self.shown.flatMap { $0.words }).sorted()
        #expect(unknown == [], "live/model.js has words for what is no reason")
        let advised = try Self.keys(of: "ADVICE", before: "[")
        #expect(!advised.isEmpty && advised.isSubset(of: known))
    }
}
