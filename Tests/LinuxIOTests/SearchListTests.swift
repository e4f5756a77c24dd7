import NetworkTypes
import TestSupport
import Testing

@testable import LinuxIO

@Suite struct SearchListTests {
    private static func names(_ name: String, _ list: SearchList) -> [String?] {
        list.candidates(for: name).map(\.text)
    }

    @Test func `a name with enough dots is tried as it is first, and others last`() {
        let list = SearchList(dots: 2, domains: ["a.example", "b.example"])
        #expect(Self.names("db", list) == ["db.a.example", "db.b.example", "db"])
        #expect(Self.names("db.x", list) == ["db.x.a.example", "db.x.b.example", "db.x"])
        #expect(Self.names("db.x.y", list) == ["db.x.y", "db.x.y.a.example", "db.x.y.b.example"])
        #expect(Self.names("db", SearchList()) == ["db"])
    }

    @Test func `a name with a dot at its end is only tried as it is`() {
        let list = SearchList(dots: 9, domains: ["a.example"])
        #expect(Self.names("db.", list) == ["db"])
        #expect(Self.names("db.x.example.", list) == ["db.x.example"])
    }

    @Test func `a name without dots may be kept from the top level`() {
        var list = SearchList(domains: ["a.example"], skipsTopLevel: true)
        #expect(Self.names("db", list) == ["db.a.example"])
        #expect(Self.names("db.x", list) == ["db.x", "db.x.a.example"])
        list.domains = []
        #expect(Self.names("db", list) == ["db"])
    }

    @Test func `no name is tried twice, and what is no name is not tried`() {
        #expect(Self.names("db", SearchList(domains: [".", "A.example", "a.example"])) == ["db", "db.a.example"])
        #expect(Self.names("d b", SearchList(domains: ["a.example"])) == [])
        #expect(Self.names(".", SearchList()) == [] && Self.names("", SearchList()) == [])
        let long = String(repeating: "a.", count: 120) + "a"
        #expect(Self.names(long, SearchList(dots: 200, domains: ["long.domain.example", "b"])).count == 2)
    }

    @Test func `the options of the machine's file are read`() throws {
        let settings = try ResolverSettings(
            nameServer: "127.0.0.1", lines: ["search a.example b.example", "options ndots:5 no-tld-query"])
        let list = try settings.run { SearchList.current() }
        #expect(list == SearchList(dots: 5, domains: ["a.example", "b.example"], skipsTopLevel: true))
    }
}
