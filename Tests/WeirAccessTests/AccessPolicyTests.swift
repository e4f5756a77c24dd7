import LinuxIO
import NetworkTypes
import Testing
import WeirAccess

/// Knows one address only.
private struct OnePlace: AddressLocator {
    var address: IPAddress
    var place: AddressLocation

    func location(of address: IPAddress) -> AddressLocation {
        address == self.address ? place : AddressLocation()
    }
}

struct AccessPolicyTests {
    private static func list(_ texts: String...) throws -> AccessList {
        AccessList(try texts.map { AccessList.Entry(try rule($0), text: $0) })
    }

    private func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

    /// A policy in which exactly these steps have something to say about `client`.
    private static func policy(_ steps: Set<AccessStep>, about client: String) throws -> AccessPolicy {
        let rule = try list("ip:\(client)")
        let none = AccessList.empty
        return AccessPolicy(
            global: .init(
                deny: steps.contains(.globalDeny) ? rule : none, allow: steps.contains(.globalAllow) ? rule : none),
            globalDefault: .deny, allowsLocal: steps.contains(.allowLocal),
            route: .init(
                deny: steps.contains(.routeDeny) ? rule : none, allow: steps.contains(.routeAllow) ? rule : none),
            routeDefault: steps.contains(.routeDefault) ? .deny : nil)
    }

    /// The order, row by row: what each step says, of what kind, and in whose scope.
    private static let table: [(step: AccessStep, action: AccessAction, kind: AccessRuleKind, scope: AccessScope)] = [
        (.globalDeny, .deny, .ip, .global), (.routeDeny, .deny, .ip, .route), (.loopback, .allow, .local, .global),
        (.routeAllow, .allow, .ip, .route), (.routeDefault, .deny, .default, .route),
        (.globalAllow, .allow, .ip, .global), (.allowLocal, .allow, .local, .global),
        (.globalDefault, .deny, .default, .global),
    ]

    @Test("The order has exactly the documented rows")
    func rows() {
        #expect(AccessStep.allCases == Self.table.map(\.step))
    }

    @Test("Each row decides where no row above it does", arguments: AccessStep.allCases)
    func alone(_ step: AccessStep) throws {
        let row = Self.table[step.rawValue]
        // Loopback and private addresses are different clients: both steps cannot be about one.
        let client = step == .loopback ? "127.0.0.9" : step == .allowLocal ? "10.0.0.9" : "192.0.2.9"
        let decision = try Self.policy([step], about: client).decide(address(client), isPeer: true)
        #expect(decision.step == step)
        #expect(decision.outcome.action == row.action)
        #expect(decision.outcome.kind == row.kind)
        #expect(decision.outcome.scope == row.scope)
    }

    @Test("Each row outranks every row below it", arguments: AccessStep.allCases)
    func outranks(_ upper: AccessStep) throws {
        for lower in AccessStep.allCases where lower.rawValue > upper.rawValue {
            let isLoopback = upper == .loopback || lower == .loopback
            if isLoopback, upper == .allowLocal || lower == .allowLocal { continue }
            let isLocal = upper == .allowLocal || lower == .allowLocal
            let client = isLoopback ? "127.0.0.9" : isLocal ? "10.0.0.9" : "192.0.2.9"
            let decision = try Self.policy([upper, lower], about: client).decide(address(client), isPeer: true)
            #expect(decision.step == upper, "\(upper) and \(lower)")
        }
    }

    @Test("The defaults let everybody pass, and such a policy is off")
    func defaults() throws {
        #expect(AccessPolicy().isOff)
        #expect(AccessPolicy(globalDefault: .deny, routeDefault: .allow).isOff)
        #expect(!AccessPolicy(globalDefault: .deny).isOff)
        #expect(!AccessPolicy(routeDefault: .deny).isOff)
        #expect(try !AccessPolicy(global: .init(allow: Self.list("ip:192.0.2.1"))).isOff)
        #expect(try AccessPolicy().decide(address("192.0.2.1"), isPeer: true).action == .allow)
    }

    @Test("An explicit deny outranks allow_local and loopback")
    func denyWins() throws {
        let policy = AccessPolicy(global: .init(deny: try Self.list("cidr:10.0.0.0/8", "cidr:127.66.0.0/16")))
        #expect(try policy.decide(address("10.1.2.3"), isPeer: true).action == .deny)
        #expect(try policy.decide(address("127.66.0.1"), isPeer: true).action == .deny)
        #expect(try policy.decide(address("127.0.0.1"), isPeer: true).action == .allow)
        #expect(try policy.decide(address("::ffff:10.1.2.3"), isPeer: true).action == .deny)
    }

    @Test(
        "allow_local lets in private networks and links, and nothing beside them",
        arguments: [
            ("10.0.0.0", true), ("10.255.255.255", true), ("9.255.255.255", false), ("11.0.0.0", false),
            ("172.16.0.0", true), ("172.31.255.255", true), ("172.15.255.255", false), ("172.32.0.0", false),
            ("192.168.0.0", true), ("192.168.255.255", true), ("192.167.255.255", false), ("192.169.0.0", false),
            ("169.254.0.1", true), ("169.253.255.255", false), ("100.64.0.1", false), ("fc00::", true),
            ("fdff:ffff::1", true), ("fbff::1", false), ("fe00::1", false), ("fe80::1", true), ("febf::1", true),
            ("fec0::1", false), ("::ffff:10.0.0.1", true), ("::ffff:8.8.8.8", false), ("2001:db8::1", false),
        ])
    func privateNetworks(_ text: String, isPrivate: Bool) throws {
        let client = try address(text)
        #expect(AccessPolicy(globalDefault: .deny).decide(client, isPeer: true).action == (isPrivate ? .allow : .deny))
        let inList = try IPAddress.privateNetworks.contains { try IPPrefix(parsing: $0).contains(client) }
        #expect(inList == isPrivate, "the documented list agrees")
    }

    @Test("Of several rules that match, the most specific one is named")
    func mostSpecific() throws {
        let client = try address("10.1.2.3")
        let berlin = AddressLocation(country: CountryCode("DE".utf8), timezone: "Europe/Berlin")
        let list = try Self.list("country:DE", "tz:Europe/Berlin", "cidr:10.0.0.0/8", "cidr:10.1.0.0/16", "ip:10.1.2.3")
        let policy = AccessPolicy(global: .init(deny: list), locator: OnePlace(address: client, place: berlin))
        let decision = policy.decide(client, isPeer: true)
        #expect(policy.entry(of: decision)?.text == "ip:10.1.2.3")
        let other = policy.decide(try address("10.1.9.9"), isPeer: true)
        #expect(policy.entry(of: other)?.text == "cidr:10.1.0.0/16")
        #expect(other.outcome.kind == .cidr)
    }

    @Test("A country or a time zone is asked of the database, the time zone first")
    func location() throws {
        let client = try address("192.0.2.9")
        let place = AddressLocation(country: CountryCode("DE".utf8), timezone: "Europe/Berlin")
        func text(_ list: AccessList) -> String? {
            let policy = AccessPolicy(global: .init(deny: list), locator: OnePlace(address: client, place: place))
            return policy.entry(of: policy.decide(client, isPeer: true))?.text
        }
        #expect(try text(Self.list("country:DE", "tz:europe/berlin")) == "tz:europe/berlin")
        #expect(try text(Self.list("country:de", "tz:Europe/Paris")) == "country:de")
        #expect(try text(Self.list("country:FR")) == nil)
    }

    @Test("An address without an entry, or without a database, matches no rule that needs one")
    func nowhere() throws {
        let allow = try Self.list("country:DE")
        let known = OnePlace(address: try address("192.0.2.9"), place: .init(country: CountryCode("DE".utf8)))
        let policy = AccessPolicy(global: .init(allow: allow), globalDefault: .deny, locator: known)
        #expect(try policy.decide(address("192.0.2.9"), isPeer: true).action == .allow)
        #expect(try policy.decide(address("192.0.2.8"), isPeer: true).outcome.kind == .default)
        #expect(try policy.decide(address("192.0.2.8"), isPeer: true).action == .deny)
        let without = AccessPolicy(global: .init(allow: allow), globalDefault: .deny)
        #expect(try without.decide(address("192.0.2.9"), isPeer: true).action == .deny)
    }

    @Test("Possible outcomes are those that some client can have, and no others")
    func possible() throws {
        func words(_ policy: AccessPolicy) -> [String] {
            policy.possibleOutcomes.map { "\($0.action) \($0.kind) \($0.scope)" }
        }
        #expect(words(AccessPolicy()) == ["allow local global", "allow default global"])
        #expect(
            words(
                AccessPolicy(
                    global: .init(deny: try Self.list("ip:192.0.2.1", "cidr:10.0.0.0/8")), globalDefault: .deny,
                    allowsLocal: false))
                == ["deny ip global", "deny cidr global", "allow local global", "deny default global"])
        // Behind a route's own default nothing global is reached.
        #expect(
            words(
                AccessPolicy(
                    global: .init(allow: try Self.list("ip:192.0.2.1")), globalDefault: .deny,
                    route: .init(allow: try Self.list("country:DE")), routeDefault: .deny))
                == ["allow local global", "allow country route", "deny default route"])
    }

    @Test("Only a policy that refuses strangers and lets private addresses pass trusts them")
    func trust() {
        #expect(AccessPolicy(globalDefault: .deny).trustsLocal)
        #expect(!AccessPolicy(globalDefault: .deny, allowsLocal: false).trustsLocal)
        #expect(!AccessPolicy().trustsLocal)
        #expect(!AccessPolicy(globalDefault: .deny, routeDefault: .deny).trustsLocal)
    }
}
