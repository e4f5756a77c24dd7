import NetworkTypes
import Testing

@testable import WeirConfiguration

/// `dial_from` and `dscp`.
struct DialSettingTests {
    private func routes(_ text: String) throws -> [RouteConfiguration] { try load(text).routes }

    @Test(arguments: [
        ("192.0.2.10", ["192.0.2.10"]), ("\"2001:db8::10\"", ["2001:db8::10"]),
        ("\"[2001:db8::10]\"", ["2001:db8::10"]), ("[\"2001:db8::10\", 192.0.2.10]", ["192.0.2.10", "2001:db8::10"]),
        ("[192.0.2.10]", ["192.0.2.10"]), ("\"fe80::1%eth0\"", ["fe80::1%eth0"]),
        ("\"::ffff:192.0.2.10\"", ["192.0.2.10"]),
    ])
    func `a source is an address, or one of each family`(value: String, expected: [String]) throws {
        for scheme in ["tcp", "udp"] {
            let loaded = try routes(route("host: db-1", "dial_from: \(value)", scheme: scheme))[0]
            let source = try #require(loaded.dialFrom)
            #expect(source.addresses.map(\.description) == expected)
            let text = try #require(Notation<DialSource>.dialSource.text(source))
            #expect(try routes(route("host: db-1", "dial_from: \(text)", scheme: scheme)) == [loaded])
        }
    }

    @Test(arguments: [
        ("0.0.0.0", "expected an IP address of this machine, found `0.0.0.0`, which is every address"),
        ("\"::\"", "which is every address"), ("eth0", "expected an IP address, found `eth0`"),
        ("192.0.2.10:99", "found a port in `192.0.2.10:99`: the kernel chooses the port of a dial"),
        ("[192.0.2.10, 192.0.2.11]", "expected one IPv4 and one IPv6 address at most, found two of one family"),
        ("[]", "expected 1 to 2 addresses, found 0"), ("[192.0.2.1, \"2001:db8::1\", 192.0.2.3]", "found 3"),
        ("\"fe80::1\"", "without its interface"),
    ])
    func `what is no source is refused`(value: String, message: String) {
        let found = errors(route("host: db-1", "dial_from: \(value)"))
        #expect(found.count == 1 && found.allSatisfy { $0.contains(message) }, "\(found)")
    }

    @Test func `an upstream of a family without a source is an error, and a name is none`() throws {
        let text = """
            defaults: { dial_from: 192.0.2.10 }
            routes:
              a: { scheme: tcp, port: 1, host: "2001:db8::1" }
              b: { scheme: udp, port: 2, upstreams: [192.0.2.1, "[2001:db8::2]:7"] }
              c: { scheme: tcp, port: 3, upstreams: [db-1, 192.0.2.1] }
              d: { scheme: tcp, port: 4, host: "2001:db8::1", dial_from: off }
              e: { scheme: tcp, port: 5, host: "2001:db8::1", dial_from: [192.0.2.10, "2001:db8::10"] }
            """
        let found = errors(text)
        try #require(found.count == 2)
        #expect(
            found[0] == "weir.yml:3:36: error: route `a`: the upstream `2001:db8::1` cannot be dialed, because "
                + "`dial_from` (line 1) has no IPv6 address; add one, or set `dial_from: off`")
        #expect(found[1].hasPrefix("weir.yml:4:53: error: route `b`: the upstream `2001:db8::2`"))
    }

    @Test(arguments: [
        ("ef", 46, "ef"), ("46", 46, "ef"), ("EF", 46, "ef"), ("cs0", 0, "cs0"), ("0", 0, "cs0"), ("cs7", 56, "cs7"),
        ("af11", 10, "af11"), ("af43", 38, "af43"), ("va", 44, "va"), ("le", 1, "le"), ("63", 63, "63"),
        ("7", 7, "7"),
    ])
    func `a code point has a number and perhaps a name`(value: String, number: UInt8, text: String) throws {
        for scheme in ["tcp", "udp"] {
            let loaded = try routes(route("host: db-1", "dscp: \(value)", scheme: scheme))[0]
            let dscp = try #require(scheme == "tcp" ? loaded.tcp?.dscp : loaded.udp?.dscp)
            #expect(dscp.value == number && dscp.description == text)
            #expect(dscp.trafficClass == Int(number) * 4)
        }
    }

    @Test(arguments: ["64", "-1", "af44", "cs8", "fast", "0x2e", "99999999999999999999", "\"\""])
    func `what is no code point is refused`(value: String) {
        let found = errors(route("host: db-1", "dscp: \(value)"))
        #expect(
            found.count == 1 && found.allSatisfy { $0.contains("`dscp`: expected a number from 0 to 63") }, "\(found)")
    }

    @Test func `off takes back what defaults say`() throws {
        let found = try routes(
            """
            defaults: { dscp: ef, dial_from: 192.0.2.10 }
            routes:
              a: { scheme: tcp, port: 1, host: db-1 }
              b: { scheme: udp, port: 1, host: db-1, dscp: off, dial_from: off }
            """)
        #expect(found.map(\.dialFrom) == [DialSource([ScopedAddress(IPAddress(v4: 0xc000_020a))]), nil])
        #expect(found[0].tcp?.dscp?.value == 46 && found[1].udp?.dscp == nil)
    }

    @Test func `the names are those of the code points, in their order`() {
        #expect(DSCP.allNames.count == 23 && DSCP.allNames.first == "cs0" && DSCP.allNames.last == "cs7")
        let values = DSCP.allNames.compactMap { DSCP(named: $0)?.value }
        #expect(values == values.sorted() && Set(values).count == DSCP.allNames.count)
    }
}
