import NetworkTypes
import Testing

@testable import WeirConfiguration

@Suite("agent:")
struct AgentSectionTests {
    private static func allow(_ text: String) throws -> AllowedDestination {
        try AllowedDestination(configured: text)
    }

    private static func problem(_ text: String) -> String {
        do throws(ValueError) {
            return "\(try AllowedDestination(configured: text)) is taken"
        } catch {
            return error.message
        }
    }

    @Test(
        "an entry of allow is read as it is written",
        arguments: [
            "tcp:127.0.0.1:22", "udp:10.0.0.0/8:53", "tcp:[2001:db8::]/32:8000-8100", "tcp:[::1]:1-65535",
            "tcp:0.0.0.0/0:443",
        ])
    func roundTrip(text: String) throws {
        #expect("\(try Self.allow(text))" == text)
    }

    @Test(
        "what is no entry is told why",
        arguments: [
            ("22", "expected a destination"), ("http:127.0.0.1:80", "expected a destination"),
            ("tcp:127.0.0.1", "without a port"), ("tcp:127.0.0.1:0", "a port or a range"),
            ("tcp:127.0.0.1:22:23", "brackets"), ("tcp:2001:db8::1:22", "brackets"), ("tcp:[127.0.0.1]:22", "brackets"),
            ("tcp:db:22", "names are judged"), ("tcp:10.0.0.1/8:22", "bits behind the length"),
            ("tcp:[::1:22", "expected `]`"), ("tcp::22", "expected an IP address"), ("tcp:127.0.0.1:9-8", "a port"),
        ])
    func faults(text: String, part: String) {
        #expect(Self.problem(text).contains(part), "\(text): \(Self.problem(text))")
    }

    @Test("a pin is 64 digits, with colons or without")
    func pins() throws {
        let digits = String(repeating: "0f", count: 32)
        #expect("\(try CertificatePin(configured: digits))" == digits)
        let spaced = Array(repeating: "0F", count: 32).joined(separator: ":")
        #expect("\(try CertificatePin(configured: spaced))" == digits)
        for text in ["", "0f", digits + "0", String(digits.dropLast()) + "g"] {
            #expect(throws: ValueError.self) { try CertificatePin(configured: text) }
        }
    }

    @Test("the agent is a route whose upstreams are the entries, and nothing that could be dialed by chance")
    func route() throws {
        var agent = Configuration.Agent()
        agent.name = "edge-1"
        agent.allow = [try Self.allow("tcp:127.0.0.1:22"), try Self.allow("udp:127.0.0.1:53")]
        agent.limits.maxConnections = 7
        let route = agent.route
        #expect(route.upstreamTexts == ["tcp:127.0.0.1:22", "pages", "metrics"])
        #expect(route.upstreams.allSatisfy { $0.host.unixPath?.abstractName != nil })
        #expect(route.ownAgent?.allow == [try Self.allow("tcp:127.0.0.1:22")])
        #expect(route.tcp?.maxConnections == 7)
        #expect(!route.hasSet)
        #expect(route.listenText == "tcp://*:8890")
    }
}
