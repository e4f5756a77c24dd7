import NetworkTypes
import TestSupport
import Testing

@testable import WeirConfiguration

@Suite("Routes that share a port by names") struct NameClaimTests {
    private static func file(_ routes: String...) -> String {
        "routes:\n"
            + routes.enumerated().map { "  \(["a", "b", "c"][$0]): { scheme: tcp4, host: h, \($1) }\n" }.joined()
    }

    @Test("Names, protocols and what precedes the hello, one or a list, in lower case")
    func reads() throws {
        let routes = try load(
            Self.file(
                "port: 443, sni: [Git.Example.NET, \"*.example.net\"], alpn: [h2, http/1.1], hello_timeout: 2s, starttls: postgres",
                "port: 443, sni: wiki.example.net, hello_timeout: 2s, starttls: postgres",
                "port: 443, hello_timeout: 2s, starttls: postgres")
        ).routes
        let names = routes.map { $0.claims.serverNames.map(\.description) }
        #expect(names == [["git.example.net", "*.example.net"], ["wiki.example.net"], []])
        #expect(routes.map(\.claims.protocols) == [["h2", "http/1.1"], [], []])
        #expect(routes.map(\.claims.isRest) == [false, false, true])
        #expect(routes.allSatisfy { $0.claims.startTLS == .postgres && $0.claims.helloTimeout == .seconds(2) })
    }

    @Test(
        "Every mistake is told with its location",
        arguments: [
            (
                ["port: 443, sni: git.test", "port: 443, sni: [wiki.test, GIT.test]"],
                [
                    "3:47: error: route `b`: `git.test` on 0.0.0.0:443 is also that of route `a` (line 2)"
                ]
            ),
            (
                ["port: 443, sni: git.test", "port: 443", "port: \"443:444\""],
                [
                    "4:37: error: route `c`: the clients that no name and no protocol takes on 0.0.0.0:443 are also "
                        + "those of route `b` (line 3)"
                ]
            ),
            (
                ["port: 443, alpn: imap", "port: 443, alpn: [smtp, imap]"],
                [
                    "3:48: error: route `b`: the protocol `imap` on 0.0.0.0:443 is also that of route `a` (line 2)"
                ]
            ),
            (
                ["port: 443, sni: git.test, starttls: postgres", "port: 443, sni: wiki.test"],
                [
                    "3:37: error: route `b`: `starttls` is a setting of the listener 0.0.0.0:443, and route `a` (line 2), "
                        + "which shares it, has another value"
                ]
            ),
            (
                ["port: 443, sni: 192.0.2.1"],
                [
                    "2:47: error: `sni`: found the address `192.0.2.1`: a hello names hosts, never addresses (RFC 6066)"
                ]
            ),
            (
                ["port: 443, sni: git.test."],
                ["2:47: error: `sni`: found `git.test.`: hellos have no final dot; did you mean `git.test`?"]
            ),
            (
                ["port: 443, sni: \".git.test\""],
                [
                    "2:47: error: `sni`: expected a name such as `git.example.net` or `*.example.net`, found `.git.test`; "
                        + "did you mean `*.git.test`?"
                ]
            ),
            (
                ["port: 443, sni: [a.test, A.test]"],
                ["2:56: error: `sni`: `a.test` is named twice"]
            ),
            (
                ["port: 443, starttls: smtp"],
                ["2:52: error: `starttls`: expected one of `postgres`, found `smtp`"]
            ),
            (
                ["port: 443, sni: git.test", "port: 443, bind: 127.0.0.1"],
                [
                    "3:37: error: route `b`: the TCP listener 127.0.0.1:443 overlaps the listener 0.0.0.0:443 of route `a` "
                        + "(line 2)"
                ]
            ),
        ])
    func mistakes(routes: [String], found: [String]) {
        let text =
            "routes:\n" + zip(["a", "b", "c"], routes).map { "  \($0): { scheme: tcp4, host: h, \($1) }\n" }.joined()
        #expect(errors(text) == found.map { "weir.yml:\($0)" })
    }

    @Test("A datagram has no hello")
    func datagrams() {
        let found = errors("routes: { a: { scheme: udp, host: h, port: 443, sni: git.test } }")
        #expect(found == ["weir.yml:1:49: error: route `a`: `sni` is for TCP routes, and the scheme is `udp`"])
    }

    @Test("Twenty thousand names on one port are compared in seconds")
    func many() throws {
        let names = (0..<20_000).map { "n\($0).example.net" }
        let routes = stride(from: 0, to: names.count, by: 500).map { start in
            "  r\(start): { scheme: tcp4, host: h, port: 443, sni: [\(names[start..<start + 500].joined(separator: ", "))] }\n"
        }
        #expect(try load("routes:\n" + routes.joined()).routes.count == 40)
    }
}
