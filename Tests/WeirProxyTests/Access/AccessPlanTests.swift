import LinuxIO
import NetworkTypes
import Testing
import WeirAccess
import WeirConfiguration

@testable import WeirProxy

struct AccessPlanTests {
    private func configuration(
        _ access: AccessConfiguration = AccessConfiguration(), routes: [RouteAccessConfiguration?] = [nil]
    ) -> Configuration {
        var made: [RouteConfiguration] = []
        for (number, own) in routes.enumerated() {
            var route = makeRoute("r\(number)", listen: 1000 + UInt16(number), upstream: 22)
            route.access = own
            made.append(route)
        }
        return Configuration(access: access, routes: made)
    }

    private static let list = AccessEntry(
        "file:list.txt", file: .init(path: "list.txt", bytes: Array("192.0.2.1\n10.0.0.0/8\n".utf8)))

    @Test("Without access rules there is no policy, and so no hook")
    func nothing() throws {
        let all = configuration(routes: [
            nil, RouteAccessConfiguration(), RouteAccessConfiguration(defaultAction: .allow),
        ])
        let plan = try AccessPlan(all)
        for route in all.routes { #expect(plan.policy(of: route) == nil) }
        let denying = configuration(AccessConfiguration(defaultAction: .deny))
        #expect(try AccessPlan(denying).policy(of: denying.routes[0]) != nil)
    }

    @Test("A log of the clients that pass has them where there are no rules, too")
    func logOfAllowed() throws {
        let logged = configuration(AccessConfiguration(log: .init(path: nil, logAllowed: true)))
        #expect(try AccessPlan(logged).policy(of: logged.routes[0]) != nil)
        let denials = configuration(AccessConfiguration(log: .init(path: nil, logAllowed: false)))
        #expect(try AccessPlan(denials).policy(of: denials.routes[0]) == nil)
    }

    @Test("Inline rules and those of list files make one list, and a rule is named as it is written")
    func lists() throws {
        let all = configuration(AccessConfiguration(deny: [AccessEntry("ip:198.51.100.7"), Self.list]))
        let policy = try #require(try AccessPlan(all).policy(of: all.routes[0]))
        #expect(policy.global.deny.count == 3)
        let client = try #require(IPAddress("10.1.2.3"))
        let entry = policy.entry(of: policy.decide(client, isPeer: true))
        #expect(entry?.text == "10.0.0.0/8" && entry?.origin == "list.txt:2")
        #expect(policy.decide(try #require(IPAddress("198.51.100.7")), isPeer: true).action == .deny)
    }

    @Test("Routes share lists, and a later plan takes over those that have not changed")
    func sharing() throws {
        let own = RouteAccessConfiguration(deny: [Self.list])
        let all = configuration(AccessConfiguration(allow: [AccessEntry("ip:192.0.2.9")]), routes: [own, own])
        let plan = try AccessPlan(all)
        let policies = try all.routes.map { try #require(plan.policy(of: $0)) }
        #expect(policies[0].route.deny === policies[1].route.deny)
        let same = try AccessPlan(all, previous: plan)
        #expect(!same.differs(from: plan))
        #expect(same.policy(of: all.routes[0])?.route.deny === policies[0].route.deny)

        let changed = AccessEntry("file:list.txt", file: .init(path: "list.txt", bytes: Array("192.0.2.2\n".utf8)))
        let other = configuration(
            AccessConfiguration(allow: [changed]), routes: [RouteAccessConfiguration(deny: [Self.list])])
        let next = try AccessPlan(other, previous: plan)
        #expect(next.differs(from: plan))
        let policy = try #require(next.policy(of: other.routes[0]))
        // The same name, with other rules in it.
        #expect(policy.global.allow.count == 1 && policy.route.deny.count == 2)
    }

    @Test("Rules that no check has seen are refused, not ignored")
    func refused() {
        let list = AccessEntry("file:bad.txt", file: .init(path: "bad.txt", bytes: Array("192.0.2.1\nbad\n".utf8)))
        for (entry, words) in [(AccessEntry("ip:bad"), "found `bad`"), (list, "bad.txt:2: expected a rule")] {
            let all = configuration(routes: [RouteAccessConfiguration(allow: [entry])])
            let error = #expect(throws: ProxyError.self) { try AccessPlan(all) }
            #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
        }
    }

    @Test("The demo denies the network that its denied clients come from, and no other")
    func demo() throws {
        let all = configuration(AccessConfiguration(deny: [AccessEntry("cidr:\(DemoClients.deniedNetwork)")]))
        let policy = try #require(try AccessPlan(all).policy(of: all.routes[0]))
        #expect(policy.decide(try #require(IPAddress("127.66.0.1")), isPeer: true).action == .deny)
        #expect(policy.decide(try #require(IPAddress("127.0.0.1")), isPeer: true).action == .allow)
    }
}
