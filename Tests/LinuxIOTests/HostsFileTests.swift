import Testing

@testable import LinuxIO

@Suite struct HostsFileTests {
    private static let text = """
        # a.example
        127.0.0.1\tlocalhost db.example\r
        ::1 ip6-localhost   Cache.Example # web.example
        192.0.2.1

        """

    @Test(arguments: [
        ("db.example", true), ("cache.example", true), ("a.example", false), ("web.example", false),
        ("192.0.2.1", false), ("127.0.0.1", false), ("b.example", false), ("", false), ("db", false),
    ])
    func `a name stands behind an address, outside of comments`(name: String, isThere: Bool) {
        #expect(HostsFile.contains(name, in: Array(Self.text.utf8)) == isThere)
    }

    @Test func `localhost is always local`() {
        #expect(HostsFile.contains("localhost") && HostsFile.contains("LOCALHOST") && HostsFile.contains("a.localhost"))
        #expect(!HostsFile.contains("no-such-name.weir.test"))
    }
}
