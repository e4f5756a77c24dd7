import NetworkTypes
import Testing

@testable import WeirConfiguration

@Suite("PROXY protocol") struct ProxyProtocolTests {
    private func settings(_ configuration: Configuration, _ route: String) throws -> ProxyProtocolSettings {
        let route = try #require(configuration.route(named: route))
        return try #require(route.tcp?.proxyProtocol ?? route.udp?.proxyProtocol)
    }

    @Test("A route's setting replaces the entrypoint's whole, and the defaults stand between")
    func inherits() throws {
        let configuration = try load(
            """
            entrypoint: { proxy_protocol: { mode: mixed, trusted_proxies: [10.0.0.0/8, "2001:db8::/32"] } }
            routes:
              a: { scheme: tcp, host: 192.0.2.1, port: 1 }
              b:
                { scheme: udp, host: 192.0.2.1, port: 1,
                  proxy_protocol: { mode: required, trusted_proxies: [192.0.2.7], datagrams: each } }
              c: { scheme: tcp, host: 192.0.2.1, port: 2, proxy_protocol: { mode: disabled } }
            """)
        let global = try settings(configuration, "a")
        #expect(global.mode == .mixed && global.datagrams == .each)
        #expect(global.trustedProxies.map(\.description) == ["10.0.0.0/8", "2001:db8::/32"])
        let own = try settings(configuration, "b")
        #expect(own.mode == .required && own.datagrams == .each)
        #expect(own.trustedProxies.map(\.description) == ["192.0.2.7/32"])
        #expect(try settings(configuration, "c") == ProxyProtocolSettings())
        let defaults = try load(
            """
            entrypoint: { proxy_protocol: { mode: mixed, trusted_proxies: [10.0.0.0/8] } }
            defaults: { proxy_protocol: { mode: required, trusted_proxies: [10.0.0.0/8] } }
            routes: { a: { scheme: tcp, host: 192.0.2.1, port: 1 } }
            """)
        #expect(try settings(defaults, "a").mode == .required)
        #expect(try settings(load(route()), "a") == ProxyProtocolSettings())
    }

    @Test("A block is read in its shortest form: mapped addresses are IPv4, one address is all of its bits")
    func blocks() throws {
        for (text, block) in [
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"), ("::ffff:192.0.2.1", "192.0.2.1/32"), ("::/0", "::/0"),
            ("0.0.0.0/0", "0.0.0.0/0"), ("2001:DB8:0:0::/33", "2001:db8::/33"), ("128.0.0.0/1", "128.0.0.0/1"),
        ] {
            #expect(try IPPrefix(configured: text).description == block)
        }
    }

    @Test(
        "Every word of the header to upstreams is read",
        arguments: [("true", ProxyHeaderVersion.v2), ("v1", .v1), ("v2", .v2), ("\"true\"", .v2)])
    func relayedTCP(word: String, header: ProxyHeaderVersion) throws {
        #expect(try load(route("relay_proxy_protocol_header: \(word)")).routes[0].tcp?.relayedHeader == header)
    }

    @Test(
        "So is every word of a UDP route's",
        arguments: [("true", DatagramHeaders.each), ("v2", .each), ("each", .each), ("first", .first)])
    func relayedUDP(word: String, header: DatagramHeaders) throws {
        let text = route("relay_proxy_protocol_header: \(word)", scheme: "udp")
        #expect(try load(text).routes[0].udp?.relayedHeader == header)
    }

    @Test("`false` takes a default back")
    func relayedFalse() throws {
        let configuration = try load(
            """
            defaults: { relay_proxy_protocol_header: true }
            routes:
              a: { scheme: tcp, host: 192.0.2.1, port: 1 }
              b: { scheme: udp, host: 192.0.2.1, port: 1 }
              c: { scheme: tcp, host: 192.0.2.1, port: 2, relay_proxy_protocol_header: false }
            """)
        #expect(configuration.routes[0].tcp?.relayedHeader == .v2)
        #expect(configuration.routes[1].udp?.relayedHeader == .each)
        #expect(configuration.routes[2].tcp?.relayedHeader == nil)
    }

    @Test(
        "Every mistake has its location and says what is expected",
        arguments: [
            (
                "proxy_protocol: {}",
                "5:21: error: `proxy_protocol`: expected a `mode`: `disabled`, `mixed` or `required`, found none"
            ),
            (
                "proxy_protocol: { mode: mixd }",
                "5:29: error: `mode`: expected one of `disabled`, `mixed`, `required`, found `mixd`; did you mean "
                    + "`mixed`?"
            ),
            (
                "proxy_protocol: { mode: mixed }",
                "5:21: error: `proxy_protocol`: mode `mixed` needs `trusted_proxies` such as `[10.0.0.0/8]`, found none"
            ),
            (
                "proxy_protocol: { mode: required, trusted_proxies: [] }",
                "5:56: error: `proxy_protocol`: mode `required` needs `trusted_proxies` such as `[10.0.0.0/8]`, "
                    + "found none"
            ),
            (
                "proxy_protocol: { mode: mixed, trusted_proxies: 10.0.0.0/8 }",
                "5:53: error: `trusted_proxies`: expected a list such as `[10.0.0.0/8]`, found `10.0.0.0/8`"
            ),
            (
                "proxy_protocol: { mode: mixed, trusted_proxies: [10.0.0.1/8] }",
                "5:54: error: `trusted_proxies`: found an address with bits behind the length in `10.0.0.1/8`; did "
                    + "you mean `10.0.0.0/8`?"
            ),
            (
                "proxy_protocol: { mode: mixed, trusted_proxies: [10.0.0.0/33] }",
                "5:54: error: `trusted_proxies`: expected a length from 0 to 32 behind the `/`, found `33`"
            ),
            (
                "proxy_protocol: { mode: mixed, trusted_proxies: [10.0.0.0/08] }",
                "5:54: error: `trusted_proxies`: expected a length from 0 to 32 behind the `/`, found `10.0.0.0/08`"
            ),
            (
                "proxy_protocol: { mode: mixed, trusted_proxies: [lb.example] }",
                "5:54: error: `trusted_proxies`: expected an IP address, found `lb.example`"
            ),
            (
                "proxy_protocol: { mode: mixed, trusted_proxies: [fe80::1%eth0] }",
                "5:54: error: `trusted_proxies`: expected an address or a block without an interface, found "
                    + "`fe80::1%eth0`"
            ),
            (
                "proxy_protocol: { mode: mixed, trusted_proxies: [10.0.0.0/8], datagrams: all }",
                "5:78: error: `datagrams`: expected one of `first`, `each`, found `all`"
            ),
            (
                "proxy_protocol: { mode: mixed, trusted: [10.0.0.0/8] }",
                "5:36: error: `proxy_protocol`: unknown key `trusted`: it has the proxies whose headers count; did you "
                    + "mean `trusted_proxies`?"
            ),
            (
                "relay_proxy_protocol_header: v3",
                "5:34: error: `relay_proxy_protocol_header`: expected one of `true`, `false`, `v1`, `v2`, found "
                    + "`v3`; did you mean `v1`?"
            ),
            (
                "relay_proxy_protocol_header: each",
                "5:34: error: `relay_proxy_protocol_header`: expected one of `true`, `false`, `v1`, `v2`, found `each`"
            ),
        ])
    func mistakes(line: String, expected: String) {
        #expect(errors(route(line)).contains("weir.yml:\(expected)"))
    }

    @Test("Version 1 has no form for datagrams, wherever it is asked for")
    func versionOneForUDP() {
        let expected =
            "error: `relay_proxy_protocol_header`: expected one of `true`, `false`, `each`, `first`, `v2`, found `v1`"
        #expect(
            errors(route("relay_proxy_protocol_header: v1", scheme: "udp")).first?.hasPrefix(
                "weir.yml:5:34: \(expected)")
                == true)
        let inherited = errors(
            "defaults: { relay_proxy_protocol_header: v1 }\nroutes:\n  a: { scheme: tcp, host: 192.0.2.1, port: 1 }\n"
                + "  b: { scheme: udp, host: 192.0.2.1, port: 1 }\n")
        #expect(inherited.count == 1 && inherited[0].hasPrefix("weir.yml:1:42: \(expected)"))
    }

    @Test("A header in front of first datagrams only is a warning, once for each location where it is written")
    func firstOnly() throws {
        let loaded = try Configuration.parse(
            bytes: Array(
                """
                entrypoint: { proxy_protocol: { mode: mixed, trusted_proxies: [10.0.0.0/8], datagrams: first } }
                routes:
                  a: { scheme: udp, host: 192.0.2.1, port: 1 }
                  b: { scheme: udp, host: 192.0.2.1, port: 2, relay_proxy_protocol_header: first }
                  c: { scheme: tcp, host: 192.0.2.1, port: 3 }
                  d: { scheme: udp, host: 192.0.2.1, port: 4, proxy_protocol: { mode: disabled } }
                """.utf8), file: "weir.yml", environment: [:])
        #expect(
            loaded.warnings.map { String($0.description.prefix(60)) } == [
                "weir.yml:1:88: warning: `datagrams: first`: where a session'",
                "weir.yml:4:76: warning: `relay_proxy_protocol_header: first`",
            ])
    }

    @Test("Trusting everybody is a warning")
    func everybody() throws {
        let text = "entrypoint: { proxy_protocol: { mode: required, trusted_proxies: [0.0.0.0/0] } }\n" + route()
        let loaded = try Configuration.parse(bytes: Array(text.utf8), file: "weir.yml", environment: [:])
        #expect(
            loaded.warnings.map(\.description) == [
                "weir.yml:1:67: warning: `trusted_proxies`: `0.0.0.0/0` is every address: any client can then say "
                    + "that it "
                    + "is another one"
            ])
    }

    @Test("The word `unix` trusts clients of Unix sockets, alone or beside blocks")
    func unixSockets() throws {
        for (list, networks) in [("[unix]", []), ("[10.0.0.0/8, unix]", ["10.0.0.0/8"])] {
            let loaded = try #require(
                try load(route("host: a", "proxy_protocol: { mode: required, trusted_proxies: \(list) }")).routes.first)
            let settings = try #require(loaded.tcp).proxyProtocol
            #expect(settings.trustsUnixSockets && settings.trustedProxies.map(\.description) == networks)
            #expect(Notation<TrustedProxies>.trustedProxies.text(settings.trusted) == list)
        }
        let found = errors(route("host: a", "proxy_protocol: { mode: required, trusted_proxies: [unix:/run/a] }"))
        #expect(found.count == 1, "\(found)")
    }
}
