import TestSupport
import Testing

@testable import WeirStream

@Suite struct ServerNameTableTests {
    private typealias Rule = ServerNameTable.Rule

    /// Each rule's route is its index.
    private func table(_ rules: [(names: [String], protocols: [String])]) throws -> ServerNameTable {
        try ServerNameTable(
            try rules.enumerated().map { index, rule in
                Rule(
                    names: try rule.names.map { try #require(ServerNamePattern($0), "\($0)") },
                    protocols: rule.protocols, route: index)
            })
    }

    private func verdict(_ table: ServerNameTable, _ bytes: [UInt8]) -> FirstBytesMatch {
        table.match(bytes.span, isEnd: false, stage: 0)
    }

    /// From the most exact claim to the one of the rest.
    private static let ranked: [(names: [String], protocols: [String])] = [
        (["a.b.example.net"], ["imap"]), (["a.b.example.net"], []), (["*.b.example.net"], ["imap"]),
        (["*.b.example.net"], []), (["*.example.net"], ["imap"]), (["*.example.net"], []), ([], ["imap"]), ([], []),
    ]

    /// Each line removes the winner of the one before: the next one must win.
    @Test(arguments: 0..<ranked.count) func `the most exact claim wins`(best: Int) throws {
        let rules = Array(Self.ranked[best...])
        let isRest = best == Self.ranked.count - 1
        for order in [rules, rules.reversed()] {
            let found = verdict(try table(order), HelloBytes.make("a.b.example.net", ["h2", "imap"]))
            let index = try #require(order.firstIndex { $0 == rules[0] })
            #expect(found == .route(index, by: isRest ? .default : .name))
        }
    }

    @Test(arguments: 0..<ranked.count) func `a claim with a protocol is none for a hello without it`(best: Int) throws {
        let rules = Array(Self.ranked[best...])
        let expected = try #require(rules.firstIndex { $0.protocols.isEmpty })
        let isRest = rules[expected].names.isEmpty
        for protocols in [[], ["h2"], ["IMAP", "imap2"]] {
            let found = verdict(try table(rules), HelloBytes.make("a.b.example.net", protocols))
            #expect(found == .route(expected, by: isRest ? .default : .name))
        }
    }

    @Test func `a wildcard is every name below it, at each depth, and not the name itself`() throws {
        let table = try table([(["*.example.net"], [])])
        for name in ["a.example.net", "A.EXAMPLE.net", "a.b.c.d.e.f.example.net", "-.example.net"] {
            #expect(verdict(table, HelloBytes.make(name)) == .route(0, by: .name), "\(name)")
        }
        for name in ["example.net", "aexample.net", "a.example.net.org", "net", "xexample.nets", "a.example.ne"] {
            #expect(verdict(table, HelloBytes.make(name)) == .none(.noMatch), "\(name)")
        }
    }

    @Test func `a name and the names below it may have different routes`() throws {
        let table = try table([(["example.net", "www.example.org"], []), (["*.Example.NET", "*.org"], [])])
        for (name, route) in [
            ("example.net", 0), ("x.example.net", 1), ("www.example.org", 0), ("mail.example.org", 1),
            ("a.www.example.org", 1),
        ] { #expect(verdict(table, HelloBytes.make(name)) == .route(route, by: .name), "\(name)") }
        #expect(verdict(table, HelloBytes.make("org")) == .none(.noMatch))
    }

    @Test func `of the protocols that a client offers, the first one that is claimed counts`() throws {
        let table = try table([(["a.net"], ["imap", "pop3"]), (["a.net"], ["h2"]), ([], ["ssh"]), ([], ["imap"])])
        for (protocols, route) in [
            (["h2", "imap"], 1), (["imap", "h2"], 0), (["x", "pop3"], 0), (["ssh", "x"], 2), (["ssh", "h2"], 1),
        ] { #expect(verdict(table, HelloBytes.make("a.net", protocols)) == .route(route, by: .name), "\(protocols)") }
        #expect(verdict(table, HelloBytes.make("b.net", ["imap", "ssh"])) == .route(3, by: .name))
        #expect(verdict(table, HelloBytes.make("", ["imap", "ssh"])) == .route(3, by: .name))
        #expect(verdict(table, HelloBytes.make("a.net", ["x"])) == .none(.noMatch))
        // The list of a client has no end that the table follows.
        let many = [String](repeating: "ssh", count: 100) + ["h2"]
        #expect(verdict(table, HelloBytes.make("a.net", many)) == .route(2, by: .name))
    }

    @Test func `the route without claims takes the rest, and says what it was`() throws {
        let open = try table([(["a.net"], []), ([], [])])
        let closed = try table([(["a.net"], [])])
        for (bytes, result) in [
            (HelloBytes.make("b.net"), FirstBytesResult.default), (HelloBytes.make(), .default),
            (HelloBytes.make("", ["h2"]), .default), (Array("SSH-2.0-x\r\n".utf8), .notTLS), ([0], .notTLS),
            ([22, 2], .notTLS),
        ] {
            #expect(verdict(open, bytes) == .route(1, by: result))
            #expect(verdict(closed, bytes) == .none(.noMatch))
        }
    }

    @Test(arguments: HelloVector.all) func `every hello of the corpus has the verdict of its outcome`(
        vector: HelloVector
    ) throws {
        let table = try table([(["www.example.net"], []), ([], [])])
        let expected: FirstBytesMatch =
            switch vector.outcome {
            case .hello("www.example.net", _): .route(0, by: .name)
            case .hello: .route(1, by: .default)
            case .malformed: .none(.malformed)
            case .tooLong: .none(.tooLong)
            case .notTLS: .route(1, by: .notTLS)
            case .needsMore: .needsMore(atLeast: 0)
            }
        #expect(verdict(table, try vector.bytes) == expected)
    }

    @Test func `a hello that is not whole needs more`() throws {
        let table = try table([([], [])])
        let hello = HelloBytes.make("a.net")
        #expect(verdict(table, [22]) == .needsMore(atLeast: 2))
        #expect(verdict(table, Array(hello.dropLast())) == .needsMore(atLeast: hello.count))
    }

    @Test func `two routes cannot claim the same`() throws {
        for (rules, conflict) in [
            ([(["a.net"], []), (["A.net"], [])], "a.net"),
            ([(["*.a.net"], ["h2"]), (["*.a.net"], ["x", "h2"])], "*.a.net"),
            ([([], ["h2"]), ([], ["h2"])], nil), ([([], []), ([], [])], nil),
        ] as [([([String], [String])], String?)] {
            let error = #expect(throws: ServerNameTable.Conflict.self) { try table(rules) }
            #expect(error?.name?.description == conflict)
            #expect(error?.routes == [0, 1])
        }
        // What differs in the protocol, or by the wildcard, is not the same; nor is a repetition for one route.
        _ = try table([(["a.net", "a.net"], []), (["a.net"], ["h2"]), (["*.a.net"], []), ([], ["h2"]), ([], [])])
    }

    @Test func `patterns are host names`() throws {
        for text in ["a", "A.example.net", "*.example.net", "*.net", "xn--bcher-kva.example", "_dmarc.example.net"] {
            #expect(ServerNamePattern(text)?.description == text.lowercased())
        }
        for text in [
            "", "*", "*.", "*.*.net", "a.*.net", "a.", ".a", "a..b", "192.0.2.1", "*.1", "::1", "bücher.example", "a b",
            "*example.net", "a/b", String(repeating: "a", count: 64),
        ] { #expect(ServerNamePattern(text) == nil, "\(text)") }
    }

    @Test func `thousands of names are each found, and their neighbors are not`() throws {
        var random = SeededGenerator(seed: 3)
        let sorted = Set((0..<fuzzRounds(2_000)).map { _ in Int.random(in: 0...999_999, using: &random) }).sorted()
        let table = try table(sorted.map { (["n\($0).example.net"], []) } + [(["*.w.example.net"], [])])
        for (index, name) in sorted.enumerated() {
            #expect(verdict(table, HelloBytes.make("n\(name).example.net")) == .route(index, by: .name))
            #expect(verdict(table, HelloBytes.make("n\(name).w.example.net")) == .route(sorted.count, by: .name))
            #expect(verdict(table, HelloBytes.make("x\(name).example.net")) == .none(.noMatch))
        }
    }
}
