import NetworkTypes
import Testing
import WeirConfiguration
import WeirStream

@testable import WeirProxy

struct ReloadPlanTests {
    private let ssh = makeRoute("ssh", listen: 2222, upstream: 22)
    private let web = makeRoute("web", listen: 8080, upstream: 80)
    private let dns = makeRoute("dns", scheme: .udp4, listen: 5353, upstream: 53)

    private func running(_ routes: [RouteConfiguration]) throws -> [RouteKey: RouteConfiguration] {
        let choosing = Set(try routes.filter { !$0.claims.isRest }.map { ListenerKey(try $0.listenAddress) })
        return Dictionary(
            uniqueKeysWithValues: try routes.map { route in
                let listener = ListenerKey(try route.listenAddress)
                return (RouteKey(listener: listener, name: choosing.contains(listener) ? route.name : nil), route)
            })
    }

    private func plan(_ old: [RouteConfiguration], _ new: [RouteConfiguration]) throws -> ReloadPlan {
        let running = try running(old)
        let shared = Set(running.keys.filter { $0.name != nil }.map(\.listener))
        return try ReloadPlan(running: running, runningShared: shared, wanted: new)
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
        #expect(plan.removed.map(\.listener.description) == ["tcp://127.0.0.1:2222"])
    }

    @Test("Another name, upstream or setting keeps the listener")
    func update() throws {
        var renamed = ssh
        renamed.name = "shell"
        var repointed = web
        repointed.upstreamPort = 81
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
        #expect(!plan.mustJoin(plan.added[0].key.listener))
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
        #expect(plan.added.count == 1 && plan.removed.count == 1)
        #expect(plan.mustJoin(plan.added[0].key.listener))
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
        #expect(plan.mustJoin(plan.added[0].key.listener) == mustJoin)
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
        #expect(plan.added.map(\.key.name) == ["git", nil, "wiki", "rest"])
        #expect(plan.shared.map { $0.entries.map(\.route.name) } == [["git", "wiki", "rest"]])
        #expect(plan.isNew(plan.shared[0]) && plan.removedShared.isEmpty)
    }

    @Test("A name that comes, goes or moves touches neither the listener nor the other routes")
    func names() throws {
        let (git, wiki, rest) = (named("git", "git.test"), named("wiki", "wiki.test"), named("rest"))
        let plan = try plan([git, rest], [named("git", "git.test", "code.test"), wiki, rest])
        #expect(plan.updated.map(\.route.name) == ["git"] && plan.added.map(\.route.name) == ["wiki"])
        #expect(plan.kept.map(\.route.name) == ["rest"] && plan.removed.isEmpty)
        #expect(plan.shared.map { $0.entries.count } == [3] && !plan.isNew(plan.shared[0]))
        // Under another name it is another route: the listener has both.
        let renamed = try self.plan([git, rest], [named("code", "git.test"), rest])
        #expect(renamed.added.count == 1 && renamed.removed.count == 1 && renamed.removedShared.isEmpty)
    }

    @Test("A route that begins to share its listener, or ends to, goes on under its name, beside its old listener")
    func transition() throws {
        let (alone, git) = (named("rest"), named("git", "git.test"))
        let sharing = try plan([alone], [alone, git])
        #expect(sharing.added.map(\.route.name) == ["rest", "git"] && sharing.removed.count == 1)
        #expect(sharing.isNew(sharing.shared[0]) && sharing.mustJoin(sharing.shared[0].key))
        #expect(sharing.goesOn(sharing.removed[0], alone))
        let back = try plan([alone, git], [alone])
        let listener = ListenerKey(try alone.listenAddress)
        #expect(back.shared.isEmpty && back.removedShared == [listener])
        #expect(back.added.map(\.route.name) == ["rest"] && back.mustJoin(back.added[0].key.listener))
        let restKey = try #require(back.removed.first { $0.name == "rest" })
        let gitKey = try #require(back.removed.first { $0.name == "git" })
        #expect(back.goesOn(restKey, alone) && !back.goesOn(gitKey, git))
    }
}
