import LinuxIO
import TestSupport
import Testing
import WeirAccess

/// A rule from text, as the configuration has it.
func rule(_ text: String) throws -> AccessRule { try AccessRule(parsing: Array(text.utf8)[...]) }

struct AccessRuleTests {
    @Test(
        "A rule reads as its kind, and prints in its canonical form",
        arguments: [
            ("ip:192.0.2.7", AccessRuleKind.ip, "ip:192.0.2.7"), ("ip:::ffff:192.0.2.7", .ip, "ip:192.0.2.7"),
            ("ip:2001:DB8:0::7", .ip, "ip:2001:db8::7"), ("cidr:10.0.0.0/8", .cidr, "cidr:10.0.0.0/8"),
            ("cidr:::ffff:10.0.0.0/104", .cidr, "cidr:10.0.0.0/8"), ("cidr:::/0", .cidr, "cidr:::/0"),
            ("country:DE", .country, "country:DE"), ("country:de", .country, "country:DE"),
            ("tz:Europe/Berlin", .timezone, "tz:europe/berlin"),
            ("timezone:America/Argentina/Buenos_Aires", .timezone, "tz:america/argentina/buenos_aires"),
            ("tz:Etc/GMT+1", .timezone, "tz:etc/gmt+1"),
            ("name:Device-7.example.NET", .name, "name:device-7.example.net"),
            ("name:*.example.net", .name, "name:*.example.net"),
        ])
    func canonical(_ text: String, kind: AccessRuleKind, canonical: String) throws {
        let rule = try rule(text)
        #expect(rule.kind == kind)
        #expect("\(rule)" == canonical)
        #expect(try WeirAccessTests.rule(canonical) == rule)
        #expect(rule.needsLocation == (kind == .country || kind == .timezone))
    }

    @Test(
        "A text that is no rule says what was expected, and what was probably meant",
        arguments: [
            ("", "expected a rule that begins with `ip:`, `cidr:`, `country:`, `tz:` or `name:`, found nothing", nil),
            (
                "10.0.0.0/8",
                "expected a rule that begins with `ip:`, `cidr:`, `country:`, `tz:` or `name:`, found `10.0.0.0/8`",
                "cidr:10.0.0.0/8"
            ),
            (
                "2001:db8::7",
                "expected a rule that begins with `ip:`, `cidr:`, `country:`, `tz:` or `name:`, found `2001:db8::7`",
                "ip:2001:db8::7"
            ),
            (
                "host:a",
                "expected a rule that begins with `ip:`, `cidr:`, `country:`, `tz:` or `name:`, found `host:a`", nil
            ),
            (
                "IP:192.0.2.7",
                "expected a rule that begins with `ip:`, `cidr:`, `country:`, `tz:` or `name:`, found `IP:192.0.2.7`",
                nil
            ),
            ("ip:", "expected an IP address behind `ip:`, found nothing", nil),
            ("ip: 192.0.2.7", "expected an IP address behind `ip:`, found ` 192.0.2.7`", nil),
            ("ip:192.0.2.07", "expected an IP address behind `ip:`, found `192.0.2.07`", nil),
            ("ip:fe80::1%eth0", "expected an IP address behind `ip:`, found `fe80::1%eth0`", nil),
            ("ip:10.0.0.0/8", "expected an IP address behind `ip:`, found `10.0.0.0/8`", "cidr:10.0.0.0/8"),
            (
                "cidr:192.0.2.7",
                "expected a block such as `10.0.0.0/8` behind `cidr:`, found the single address `192.0.2.7`",
                "ip:192.0.2.7"
            ),
            ("cidr:10.0.0/8", "expected a block such as `10.0.0.0/8` behind `cidr:`, found `10.0.0/8`", nil),
            ("cidr:10.0.0.0/33", "expected a length from 0 to 32 behind the slash, found `10.0.0.0/33`", nil),
            ("cidr:10.0.0.1/8", "the address in `10.0.0.1/8` has bits behind the length", "cidr:10.0.0.0/8"),
            ("country:DEU", "expected the two letters of a country such as `country:DE`, found `DEU`", nil),
            ("country:D1", "expected the two letters of a country such as `country:DE`, found `D1`", nil),
            (
                "name:*.*.net",
                "expected a DNS name such as `name:device-7.example.net`, or `name:*.example.net` for all below one, "
                    + "found `*.*.net`", nil
            ),
            ("country:UK", "`UK` is no country code of ISO 3166-1", "country:GB"),
            ("country:el", "`EL` is no country code of ISO 3166-1", "country:GR"),
            ("tz:Berlin", "expected a time zone such as `tz:Europe/Berlin`, found `Berlin`", nil),
            ("tz:Europe//Berlin", "expected a time zone such as `tz:Europe/Berlin`, found `Europe//Berlin`", nil),
            (
                "tz:Europe/Ber\nlin", "expected a time zone such as `tz:Europe/Berlin`, found `Europe/Ber\\x0alin`",
                nil
            ),
        ] as [(String, String, String?)])
    func malformed(_ text: String, message: String, suggestion: String?) {
        let error = #expect(throws: AccessRule.ParseError.self) { try rule(text) }
        #expect(error?.message == message)
        #expect(error?.suggestion == suggestion)
    }

    @Test("A suggestion is a rule itself")
    func suggestions() throws {
        for text in ["10.0.0.0/8", "192.0.2.7", "ip:10.0.0.0/8", "cidr:192.0.2.7", "cidr:10.0.0.1/8", "country:UK"] {
            let error = #expect(throws: AccessRule.ParseError.self) { try rule(text) }
            #expect(throws: Never.self) { try rule(try #require(error?.suggestion)) }
        }
    }

    @Test("A rule has a longest length")
    func longest() {
        let error = #expect(throws: AccessRule.ParseError.self) {
            try rule("tz:A/" + String(repeating: "b", count: 1000))
        }
        #expect(error?.message == "expected a rule of at most 260 bytes, found 1005")
    }

    @Test("Random bytes never trap, and what is taken prints as something that is taken")
    func randomBytes() throws {
        var generator = SeededGenerator(seed: 0x0a11_0ced)
        let parts = [
            "ip:", "cidr:", "country:", "tz:", "::", ":", "/", ".", "10", "255", "ffff", "DE", "a/b", "\u{0}", "ü",
        ]
        var taken = 0
        for _ in 0..<20_000 {
            let count = Int.random(in: 1...6, using: &generator)
            let bytes = (0..<count).flatMap { _ in Array((parts.randomElement(using: &generator) ?? "").utf8) }
            guard let rule = try? AccessRule(parsingBare: bytes[...]) else { continue }
            taken += 1
            #expect(try WeirAccessTests.rule("\(rule)") == rule)
        }
        #expect(taken > 100)
    }
}
