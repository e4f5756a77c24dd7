import NetworkTypes
import Testing
import WeirConfiguration
import WeirStream

@testable import WeirProxy

struct ReloadPlanTests {
    private let ssh = makeRoute("ssh", listen: 2222, upstream: 22)
    private let web = makeRoute("web", listen: 8080, upstream: 80)
    private let dns = makeRoute("dns", scheme: .udp4, listen: 5353, upstream: 53)

    /// The routes as they run after a start with them.
    private func running(_ routes: [RouteConfiguration]) throws -> [RouteKey: ReloadPlan.Entry] {
        let plan = try ReloadPlan(running: [:], wanted: routes)
        return Dictionary(uniqueKeysWithValues: plan.added.map { ($0.key, $0) })
    }

    private func plan(
        _ old: [RouteConfiguration], _ new: [RouteConfiguration], leaving: [ListenAddress] = []
    ) throws -> ReloadPlan {
        let running = try running(old)
        return try ReloadPlan(
            running: running, runningShared: Set(running.values.flatMap(\.shared)), wanted: new, leaving: leaving)
    }

    @Test("The same routes, in any order, are nothing to do")
    func nothing() throws {
        let plan = try plan([ssh, web, dns], [dns, ssh, web])
        #expect(plan.isEmpty)
        #expect(plan.kept.map(\.route.name) == ["dns", "ssh", "web"])
    }

    @Test("Where something changed that all routes follow, those that are the same are updated, too")
    func affectsAll() throws {
        let plan = try ReloadPlan(running: try running([ssh, web]), wanted: [ssh, dns], affectsAll: true)
        #expect(plan.updated.map(\.route.name) == ["ssh"])
        #expect(plan.added.map(\.route.name) == ["dns"])
        #expect(plan.kept.isEmpty && plan.removed.count == 1)
    }

    @Test("At the start everything is added, in the order of the file")
    func start() throws {
        let plan = try plan([], [web, ssh])
        #expect(plan.added.map(\.route.name) == ["web", "ssh"])
        #expect(plan.kept.isEmpty && plan.updated.isEmpty && plan.removed.isEmpty)
    }

    @Test("New listeners are added, unwanted ones removed, the others kept")
    func addAndRemove() throws {
        let plan = try plan([ssh, web], [web, dns])
        #expect(plan.kept.map(\.route.name) == ["web"])
        #expect(plan.added.map(\.route.name) == ["dns"])
        #expect(plan.removed.map(\.description) == ["tcp ssh"])
    }

    @Test("Another name, upstream or setting keeps the listener")
    func update() throws {
        var renamed = ssh
        renamed.name = "shell"
        var repointed = web
        repointed.ports = [PortMapping(listen: 8080, target: 81)]
        var limited = dns
        limited.settings = .udp(UDPSettings(maxSessions: 5))
        let plan = try plan([ssh, web, dns], [renamed, repointed, limited])
        #expect(plan.updated.map(\.route) == [renamed, repointed, limited])
        #expect(plan.added.isEmpty && plan.removed.isEmpty && plan.kept.isEmpty)
    }

    @Test("Names that change places re-point both listeners")
    func swappedNames() throws {
        var one = ssh
        var two = web
        (one.name, two.name) = (two.name, one.name)
        let plan = try plan([ssh, web], [one, two])
        #expect(plan.updated.count == 2 && plan.removed.isEmpty && plan.added.isEmpty)
    }

    @Test("The same port of the other transport is another listener")
    func transports() throws {
        let tcp = makeRoute("dns-tcp", listen: 5353, upstream: 53)
        let plan = try plan([dns], [dns, tcp])
        #expect(plan.kept.count == 1 && plan.added.count == 1)
        #expect(plan.joining(plan.added[0]).isEmpty)
    }

    @Test("A scheme that binds the very same socket keeps it")
    func sameSocket() throws {
        let tcp4 = makeRoute("a", scheme: .tcp4, listen: 80, upstream: 80)
        let tcp = makeRoute("a", scheme: .tcp, listen: 80, upstream: 80)
        #expect(try plan([tcp4], [tcp]).updated.count == 1)
    }

    @Test("IPv6 alone and both families are different sockets, and one waits for the other")
    func dualStack() throws {
        let both = makeRoute("a", scheme: .tcp, bind: nil, listen: 80, upstream: 80)
        let six = makeRoute("a", scheme: .tcp6, bind: nil, listen: 80, upstream: 80)
        let plan = try plan([six], [both])
        #expect(plan.updated.count == 1 && plan.removed.isEmpty && plan.added.isEmpty)
        #expect(plan.updated[0].dropped.map(\.address.description) == ["tcp6://[::]:80"])
        #expect(plan.joining(plan.updated[0]).count == 1)
    }

    @Test(
        "A wildcard waits for the addresses that it covers, and only for those",
        arguments: [
            (Network.tcp4, nil as ScopedAddress?, true), (.tcp, nil, true), (.tcp6, nil, false),
            (.tcp4, ScopedAddress("127.0.0.2"), false), (.udp4, nil, false),
        ])
    func wildcards(scheme: Network, bind: ScopedAddress?, mustJoin: Bool) throws {
        let wanted = makeRoute("b", scheme: scheme, bind: bind, listen: 2222, upstream: 22)
        let plan = try plan([ssh], [wanted])
        #expect(plan.joining(plan.added[0]).count == (mustJoin ? 1 : 0))
    }

    // MARK: Several listeners

    private func range(_ name: String, _ ports: String..., scheme: Network = .udp4) throws -> RouteConfiguration {
        var route = makeRoute(name, scheme: scheme, listen: 1, upstream: 1)
        route.ports = try ports.map { try PortMapping(parsing: $0) }
        return route
    }

    @Test("A range that moves keeps the listeners that stay, and gives up the others")
    func movedRange() throws {
        let plan = try plan([try range("rtp", "100-109:200-209")], [try range("rtp", "105-114:205-214")])
        let entry = try #require(plan.updated.first)
        #expect(plan.updated.count == 1 && plan.added.isEmpty && plan.removed.isEmpty)
        #expect(entry.listen.map(\.address.port) == Array(105...114))
        #expect(entry.listen.map(\.portShift) == Array(0...9))
        #expect(entry.dropped.map(\.address.port) == Array(100...104))
        #expect(plan.joining(entry).isEmpty)
    }

    @Test("A listener that goes from one route to another is taken beside the old one, and told as taken over")
    func handedOver() throws {
        let plan = try plan(
            [try range("a", "100-103"), try range("b", "104-107")],
            [try range("a", "100-105"), try range("b", "106-107")])
        #expect(plan.updated.map(\.dropped.count) == [0, 2])
        #expect(Set(plan.joining(plan.updated[0]).map(\.port)) == [104, 105])
        #expect(plan.updated[1].dropped.allSatisfy { plan.isTakenOver($0.address) })
        #expect(plan.joining(plan.updated[1]).isEmpty)
    }

    @Test("A route under another name goes on where it has a listener of the old one, before one with its old name")
    func renamedRange() throws {
        let plan = try plan(
            [try range("a", "100-103"), try range("b", "104")], [try range("b", "102-103"), try range("c", "104")])
        #expect(plan.updated.map(\.previous?.name) == ["a", "b"])
        #expect(plan.removed.isEmpty && plan.added.isEmpty)
        #expect(plan.updated[0].dropped.map(\.address.port) == [100, 101])
    }

    @Test("A route that has moved to other ports altogether goes on by its name")
    func elsewhere() throws {
        let plan = try plan([try range("a", "100")], [try range("a", "200")])
        #expect(plan.updated.map(\.dropped.count) == [1] && plan.added.isEmpty && plan.removed.isEmpty)
    }

    @Test("Two routes of one name, one for each transport, are apart")
    func bothTransports() throws {
        let (tcp, udp) = (try range("dns", "53", scheme: .tcp4), try range("dns", "53"))
        let plan = try plan([tcp, udp], [tcp, try range("dns", "53-54")])
        #expect(plan.kept.map(\.route.transport) == [.tcp] && plan.updated.map(\.route.transport) == [.udp])
    }

    @Test("Sockets that an earlier reload has left are joined, and end where another route takes their address")
    func leaving() throws {
        let left = try ListenAddress("udp4://127.0.0.1:100")
        let plan = try plan([try range("a", "101")], [try range("a", "101"), try range("b", "100")], leaving: [left])
        #expect(plan.joining(plan.added[0]) == [left] && plan.isTakenOver(left))
    }

    @Test("A range in part of which names are told apart keeps the rest to itself")
    func partlyShared() throws {
        let rest = try range("rest", "440-445:1440-1445", scheme: .tcp4)
        let plan = try plan([rest], [rest, named("git", "git.test")])
        let entry = try #require(plan.updated.first)
        #expect(entry.dropped.map(\.address.port) == [443] && entry.listen.count == 5 && entry.shared.count == 1)
        #expect(plan.shared[0].members.map(\.portShift) == [3, 0] && plan.mustJoin(plan.shared[0].key))
    }

    // MARK: Shared listeners

    private func named(_ name: String, _ serverNames: String...) -> RouteConfiguration {
        var route = makeRoute(name, listen: 443, upstream: 443)
        route.claims.serverNames = serverNames.compactMap { ServerNamePattern($0) }
        return route
    }

    @Test("Routes of one port are told apart by their names, and have one listener")
    func shared() throws {
        let (git, wiki, rest) = (named("git", "git.test"), named("wiki", "wiki.test"), named("rest"))
        let plan = try plan([], [git, web, wiki, rest])
        #expect(plan.added.map(\.listen.count) == [0, 1, 0, 0])
        #expect(plan.shared.map { $0.members.map(\.entry.route.name) } == [["git", "wiki", "rest"]])
        #expect(plan.isNew(plan.shared[0]) && plan.removedShared.isEmpty)
    }

    @Test("A name that comes, goes or moves touches neither the listener nor the other routes")
    func names() throws {
        let (git, wiki, rest) = (named("git", "git.test"), named("wiki", "wiki.test"), named("rest"))
        let plan = try plan([git, rest], [named("git", "git.test", "code.test"), wiki, rest])
        #expect(plan.updated.map(\.route.name) == ["git"] && plan.added.map(\.route.name) == ["wiki"])
        #expect(plan.kept.map(\.route.name) == ["rest"] && plan.removed.isEmpty)
        #expect(plan.shared.map { $0.members.count } == [3] && !plan.isNew(plan.shared[0]))
        // Under another name it is another route: the listener has both.
        let renamed = try self.plan([git, rest], [named("code", "git.test"), rest])
        #expect(renamed.added.count == 1 && renamed.removed.count == 1 && renamed.removedShared.isEmpty)
    }

    @Test("A route that begins to share its listener, or ends to, goes on under its name, beside its old listener")
    func transition() throws {
        let (alone, git) = (named("rest"), named("git", "git.test"))
        let sharing = try plan([alone], [alone, git])
        #expect(sharing.updated.map(\.route.name) == ["rest"] && sharing.added.map(\.route.name) == ["git"])
        #expect(sharing.isNew(sharing.shared[0]) && sharing.mustJoin(sharing.shared[0].key))
        #expect(sharing.updated[0].dropped.count == 1 && sharing.updated[0].shared == [sharing.shared[0].key])
        let back = try plan([alone, git], [alone])
        #expect(back.shared.isEmpty && back.removedShared == [sharing.shared[0].key])
        #expect(back.updated.map(\.route.name) == ["rest"] && back.joining(back.updated[0]).count == 1)
        #expect(back.removed.map(\.name) == ["git"])
    }
}
