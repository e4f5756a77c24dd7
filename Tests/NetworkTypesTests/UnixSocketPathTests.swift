import NetworkTypes
import Testing

@Suite struct UnixSocketPathTests {
    @Test func `a path is kept and printed with its scheme`() throws {
        let path = try #require(UnixSocketPath("/run/weir.sock"))
        #expect(path.path == "/run/weir.sock")
        #expect(path.description == "unix:/run/weir.sock")
    }

    @Test func `what the kernel could not take is refused`() {
        #expect(UnixSocketPath("") == nil)
        #expect(UnixSocketPath("a\0b") == nil)
        #expect(UnixSocketPath(String(repeating: "a", count: 107)) != nil)
        #expect(UnixSocketPath(String(repeating: "a", count: 108)) == nil)
        // Counted in bytes, not in characters.
        #expect(UnixSocketPath(String(repeating: "ä", count: 54)) == nil)
    }
}
