import Foundation
import Testing

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
}
