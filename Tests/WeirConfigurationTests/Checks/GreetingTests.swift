import Testing
import WeirConfiguration

@Suite("Servers that speak first, and names")
struct GreetingTests {
    private func warnings(_ routes: String...) throws -> [String] {
        let text = "routes:\n" + routes.map { "  \($0)\n" }.joined()
        return try Configuration.parse(bytes: Array(text.utf8), file: "weir.yml", environment: [:]).warnings
            .map(\.description).filter { $0.contains("speaks first") }
    }

    private let named = "web: { scheme: tcp, bind: 127.0.0.1, host: 10.0.0.1, port: \"443:443\", sni: a.example.net }"

    @Test("a route that shares its port with names is told of, by its line")
    func told() throws {
        let mail = "mail: { scheme: tcp, bind: 127.0.0.1, host: 10.0.0.2, port: \"443:25\" }"
        let database = "db: { scheme: tcp, bind: 127.0.0.1, host: 10.0.0.2, port: \"443:3306\", sni: db.example.net }"
        let found = try warnings(named, mail, database)
        #expect(found.count == 2)
        #expect(found[0].hasPrefix("weir.yml:3") && found[0].contains("`mail`") && found[0].contains("SMTP"))
        #expect(found[1].hasPrefix("weir.yml:4") && found[1].contains("`db`") && found[1].contains("MySQL"))
    }

    @Test("one at a port or an address of its own is not, nor one behind TLS")
    func untold() throws {
        let alone = "mail: { scheme: tcp, bind: 127.0.0.1, host: 10.0.0.2, port: \"25:25\" }"
        let encrypted = "imaps: { scheme: tcp, bind: 127.0.0.1, host: 10.0.0.2, port: \"443:993\", alpn: imap }"
        let elsewhere = "db: { scheme: tcp, bind: 127.0.0.2, host: 10.0.0.2, port: \"443:3306\" }"
        #expect(try warnings(named, alone, encrypted, elsewhere) == [])
    }
}
