import LinuxIO
import NetworkTypes
import Testing
import WeirAccess
import WeirStream

@testable import WeirProxy

struct AccessLineTests {
    /// 2026-11-22T12:57:19.042Z.
    private static let moment: Int64 = 1_795_352_239_042_000_000

    private static func entry(_ text: String, list: String? = nil, line: UInt32 = 0) throws -> AccessList.Entry {
        AccessList.Entry(try AccessRule(parsing: Array(text.utf8)[...]), text: text, list: list, line: line)
    }

    private func line(
        _ policy: AccessPolicy, _ client: String, _ format: LogFormat = .text, agents: [Int: String] = [:]
    ) throws -> String {
        let address = try #require(SocketAddress(client))
        var route = LogRoute(
            name: "ssh", transport: "tcp", listen: "tcp4://0.0.0.0:2222", upstreams: ["localhost:22"], agents: agents)
        route.rules = AccessRuleNames(policy)
        let record = LogRecord(
            time: Self.moment, route: 1, id: 0x1f, client: address, upstreamAddress: nil,
            fact: .decided(policy.decide(address.ip, isPeer: true)))
        return String(decoding: LogLine.bytes(of: record, route: route, format: format), as: UTF8.self)
    }

    @Test("A denial names client, rule, kind and scope, as text and as JSON")
    func denial() throws {
        let policy = AccessPolicy(global: .init(deny: AccessList([try Self.entry("cidr:198.51.100.0/24")])))
        #expect(
            try line(policy, "198.51.100.7:5000")
                == "2026-11-22T12:57:19.042Z INFO client denied protocol=tcp route=ssh listen=tcp4://0.0.0.0:2222 "
                + "dst=localhost:22 action=deny id=1f client=198.51.100.7:5000 rule=cidr:198.51.100.0/24 "
                + "rule_kind=cidr scope=global\n")
        #expect(
            try line(policy, "198.51.100.7:5000", .json).hasSuffix(
                #""action":"deny","id":"1f","client":"198.51.100.7:5000","rule":"cidr:198.51.100.0/24","#
                    + #""rule_kind":"cidr","scope":"global"}"# + "\n"))
    }

    @Test("A decision names the agent that all upstreams are behind, and none where they differ")
    func agents() throws {
        let policy = AccessPolicy(globalDefault: .deny)
        #expect(try line(policy, "192.0.2.1:1", agents: [0: "edge-1"]).hasSuffix(" scope=global agent=edge-1\n"))
        var route = LogRoute(name: "ssh", transport: "tcp", listen: "", upstreams: ["a:1 via x", "b:1"])
        route.agents = [0: "x"]
        #expect(route.onlyAgent == nil)
        route.agents[1] = "y"
        #expect(route.onlyAgent == nil)
        route.agents[1] = "x"
        #expect(route.onlyAgent == "x")
    }

    @Test("A rule of a list file is named with the file and its line")
    func list() throws {
        let policy = AccessPolicy(
            route: .init(deny: AccessList([try Self.entry("ip:192.0.2.1", list: "/etc/weir/block.txt", line: 17)])))
        #expect(
            try line(policy, "192.0.2.1:5000").hasSuffix(
                " rule=ip:192.0.2.1 list=/etc/weir/block.txt:17 rule_kind=ip scope=route\n"))
    }

    @Test("What no rule decided is named by the setting that did")
    func settings() throws {
        let policy = AccessPolicy(globalDefault: .deny)
        #expect(try line(policy, "127.0.0.1:1").hasSuffix(" rule=loopback rule_kind=local scope=global\n"))
        #expect(try line(policy, "10.0.0.1:1").contains("INFO client allowed "))
        #expect(try line(policy, "10.0.0.1:1").hasSuffix(" rule=allow_local rule_kind=local scope=global\n"))
        #expect(try line(policy, "192.0.2.1:1").hasSuffix(" rule=\"default: deny\" rule_kind=default scope=global\n"))
    }
}
