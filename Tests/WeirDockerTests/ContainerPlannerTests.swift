import NetworkTypes
import TestSupport
import Testing
import WeirConfiguration

@testable import WeirDocker

/// Plans of containers, and what they say of each.
@Suite("Routes of containers") struct ContainerPlannerTests {
    /// A file, the containers of one engine, and the plan in force.
    private struct World {
        var file: String
        var containers: [Container] = []
        var planner = ContainerPlanner()
        var now: UInt64 = 1_000_000_000

        init(_ containers: Container...) {
            self.init("", containers)
        }

        init(_ docker: String, routes: String = "", _ containers: Container...) {
            self.init(docker, routes: routes, containers)
        }

        private init(_ docker: String, routes: String = "", _ containers: [Container]) {
            file =
                "docker: { endpoint: \"unix:///run/none.sock\", label_prefix: weir\(docker) }\n"
                + (routes.isEmpty ? "" : "routes:\n\(routes)\n")
            self.containers = containers
        }

        func plan() throws -> ContainerPlan {
            let configuration = try Configuration.parse(
                bytes: Array(file.utf8), file: "weir.yml", environment: [:]
            ).configuration
            let docker = try #require(configuration.docker)
            return planner.plan(
                [EngineSnapshot(docker.endpoints[0], containers: containers)], configuration, now: now)
        }

        mutating func advance() throws -> ContainerPlan {
            let plan = try plan()
            planner.commit(plan)
            return plan
        }
    }

    private func container(
        _ name: String, _ labels: [String: String], ip: String = "192.0.2.1", ports: [String] = [], id: String? = nil,
        service: String? = nil
    ) -> Container {
        var labels = labels
        if let service {
            labels["com.docker.compose.project"] = "p"
            labels["com.docker.compose.service"] = service
        }
        var container = Container(id: id ?? name, name: name, labels: labels)
        container.networks = [Container.Network(name: "bridge", address: IPAddress(ip) ?? .loopbackIPv4)]
        container.ports = ports.compactMap { Container.Port(exposed: $0) }
        return container
    }

    /// `ssh tcp 2222:22 192.0.2.1` for each route.
    private func text(_ plan: ContainerPlan) throws -> [String] {
        guard let root = plan.root else { return [] }
        let configuration = try Configuration.load([ConfigurationFragment(root: root)]).configuration
        return configuration.routes.map { route in
            let upstreams = route.upstreams.map { upstream in
                "\(upstream.host)\(upstream.port.map { ":\($0)" } ?? "")\(upstream.isDraining ? " drains" : "")"
            }
            return "\(route.name) \(route.scheme.rawValue) \(route.ports[0]) \(upstreams.joined(separator: ","))"
        }
    }

    private func states(_ plan: ContainerPlan) -> [String: ContainerVerdict.State] {
        Dictionary(plan.verdicts.map { ($0.container, $0.state) }, uniquingKeysWith: { first, _ in first })
    }

    private func remark(_ plan: ContainerPlan, _ name: String) -> String {
        plan.verdicts.first { $0.container == name }?.remarks.first ?? ""
    }

    @Test("A port alone makes a TCP route, and a UDP one where the container exposes it for UDP alone")
    func schemes() throws {
        let world = World(
            container("ssh", ["weir.ssh.port": "2222:22"], ports: ["22/tcp"]),
            container("dns", ["weir.dns.port": "5353:53"], ip: "192.0.2.2", ports: ["53/udp"]),
            container("both", ["weir.both.port": "5354:53"], ip: "192.0.2.3", ports: ["53/udp", "53/tcp"]),
            container("none", ["weir.none.port": "5355:53"], ip: "192.0.2.4"), container("plain", ["x": "y"]))
        let plan = try world.plan()
        #expect(
            try text(plan).sorted() == [
                "both tcp 5354:53 192.0.2.3", "dns udp 5353:53 192.0.2.2", "none tcp 5355:53 192.0.2.4",
                "ssh tcp 2222:22 192.0.2.1",
            ])
        #expect(states(plan)["plain"] == .notStream && states(plan)["ssh"] == .routed)
    }

    @Test("Containers of one service with the same fields are one route; any other second claim is a conflict")
    func replicas() throws {
        let labels = ["weir.web.port": "8080:80"]
        var first = container("p-web-1", labels, ip: "192.0.2.1", service: "web")
        first.created = 1
        var second = container("p-web-2", labels, ip: "192.0.2.2", service: "web")
        second.created = 2
        var weighted = container(
            "p-web-3", labels.merging(["weir.web.weight": "3"]) { $1 }, ip: "192.0.2.3", service: "web")
        weighted.created = 3
        var thief = container("thief", labels, ip: "192.0.2.9")
        thief.created = 4
        let world = World(first, second, weighted, thief)
        let plan = try world.plan()
        #expect(try text(plan) == ["web tcp 8080:80 192.0.2.1,192.0.2.2,192.0.2.3"])
        #expect(states(plan)["thief"] == .error)
        #expect(plan.verdicts.first { $0.container == "thief" }?.reason == .conflict)
        // An image can have the service's labels, all of them, and not its name.
        var forged = container("happy_euler", labels, ip: "192.0.2.9", service: "web")
        forged.created = 9
        #expect(try states(World(first, forged).plan()) == ["p-web-1": .routed, "happy_euler": .error])
        var run = container("web_run_1", labels, ip: "192.0.2.4", service: "web")
        run.labels["com.docker.compose.oneoff"] = "True"
        #expect(states(try World(first, run).plan())["web_run_1"] == .notStream)
    }

    @Test("What is there keeps its name against an older container that comes back")
    func incumbents() throws {
        var old = container("old", ["weir.a.port": "2000:1"], ip: "192.0.2.1")
        (old.created, old.state) = (1, .exited)
        var new = container("new", ["weir.a.port": "2000:1"], ip: "192.0.2.2")
        new.created = 2
        var world = World(old, new)
        #expect(try text(world.advance()) == ["a tcp 2000:1 192.0.2.2"])
        world.containers[0].state = .running
        let plan = try world.advance()
        #expect(try text(plan) == ["a tcp 2000:1 192.0.2.2"])
        #expect(states(plan)["old"] == .error)
    }

    @Test("The file goes first; ports, names and the ports of others are guarded")
    func guards() throws {
        let routes =
            "  taken: { scheme: tcp, host: 192.0.2.99, port: 2000 }\n"
            + "  shop: { scheme: tcp, host: 192.0.2.99, port: 8443, sni: shop.example.net }"
        let docker = ", listen_ports: [1024-65535], names: [\"*.apps.example.net\"]"
        func reason(_ labels: [String: String], ports: [String] = []) throws -> String {
            let plan = try World(docker, routes: routes, container("c", labels, ports: ports)).plan()
            let verdict = try #require(plan.verdicts.first)
            #expect(verdict.state == .error, "\(labels)")
            return "\(verdict.reason?.rawValue ?? ""): \(verdict.remarks.first ?? "")"
        }
        #expect(try reason(["weir.taken.port": "2001:1"]).hasPrefix("conflict: container `c`, label `weir.taken.port`"))
        #expect(
            try reason(["weir.a.port": "53:53"]).contains("may not listen on 53: `docker.listen_ports` has 1024-65535"))
        #expect(try reason(["weir.a.port": "8443:1"]).hasPrefix("conflict"))
        #expect(try reason(["weir.a.port": "9443:1", "weir.a.sni": "x.example.net"]).contains("`docker.names`"))
        #expect(try reason(["weir.a.port": "9443:1", "weir.a.sni": "[a.apps.example.net, b.net]"]).contains("b.net"))
        #expect(try reason(["weir.a.port": "8443:1", "weir.a.sni": "a.apps.example.net"]).hasPrefix("conflict"))
        #expect(try reason(["weir.a.port": "9443:1", "weir.a.alpn": "h2"]).contains("needs one with `sni`"))
        #expect(try reason(["weir.a.port": "133342"]).contains("makes of `2222:22` without quotes"))
        #expect(try reason(["weir.a.port": "3233"], ports: ["53/udp"]).contains("`53:53`"))
        let good = World(
            docker, routes: routes,
            container("c", ["weir.a.port": "9443:1", "weir.a.sni": "a.apps.example.net"]),
            container("d", ["weir.b.port": "9443:1", "weir.b.sni": "b.apps.example.net"], ip: "192.0.2.2"),
            container("e", ["weir.c.port": "9443:1"], ip: "192.0.2.3"))
        let states = states(try good.plan())
        #expect(states["c"] == .routed && states["d"] == .routed && states["e"] == .error)
    }

    @Test("An unquoted port among labels of an HTTP proxy is told, where it can only be that")
    func numbersOfYAML() throws {
        var world = World(container("a", ["proxy.ssh.port": "133342"]), container("b", ["proxy.web.port": "3233"]))
        world.file = world.file.replacing("label_prefix: weir", with: "label_prefix: proxy")
        let plan = try world.plan()
        #expect(states(plan) == ["a": .error, "b": .notStream])
        #expect(remark(plan, "a").contains("`2222:22`"))
    }

    @Test("Addresses: the only network, a named one, that of compose, host and shared networks, published ports")
    func addresses() throws {
        func networks(_ names: String..., labels: [String: String] = [:]) -> Container {
            var box = container("c", labels.merging(["weir.a.port": "2000:1"]) { $1 }, ports: ["1/tcp"], service: "s")
            box.networks = names.enumerated().map {
                Container.Network(name: $0.element, address: IPAddress("192.0.2.\($0.offset + 1)") ?? .loopbackIPv4)
            }
            return box
        }
        #expect(try text(World(networks("x")).plan()) == ["a tcp 2000:1 192.0.2.1"])
        let doubtful = try World(networks("x", "y")).plan()
        #expect(doubtful.verdicts[0].reason == .network && remark(doubtful, "c").contains("`x`, `y`"))
        #expect(try text(World(", network: y", networks("x", "y")).plan()) == ["a tcp 2000:1 192.0.2.2"])
        #expect(try text(World(", network: y", networks("x", "p_y")).plan()) == ["a tcp 2000:1 192.0.2.2"])
        #expect(
            try text(World(", network: x", networks("x", "y", labels: ["weir.network": "y"])).plan())
                == ["a tcp 2000:1 192.0.2.2"])
        #expect(try World(networks("x", labels: ["weir.network": "z"])).plan().verdicts[0].reason == .network)
        #expect(try World(networks()).plan().verdicts[0].reason == .network)

        var host = networks()
        host.networkMode = "host"
        #expect(try text(World(host).plan()) == ["a tcp 2000:1 127.0.0.1"])
        var proxied = World(host)
        proxied.file = proxied.file.replacing("unix:///run/none.sock", with: "tcp://127.0.0.1:2375")
        #expect(try text(proxied.plan()) == ["a tcp 2000:1 127.0.0.1"])
        proxied.containers[0].labels["weir.a.port"] = "2000:2375"
        #expect(try remark(proxied.plan(), "c").contains("2375 is the port of its engine"))
        proxied.containers[0].labels["weir.a.port"] = "2000:1"
        proxied.containers[0].labels["weir.a.health"] = "{ check: http, port: 2375, path: /containers/json }"
        #expect(try remark(proxied.plan(), "c").contains("2375 is the port of its engine"))
        var sharing = networks()
        sharing.networkMode = "container:other"
        var other = container("other", [:], ip: "192.0.2.7")
        #expect(try text(World(sharing, other).plan()) == ["a tcp 2000:1 192.0.2.7"])
        // With the other its address goes, although the container itself goes on.
        var shared = World(sharing, other)
        _ = try shared.advance()
        shared.containers[1].networks[0].address = IPAddress("192.0.2.8") ?? .loopbackIPv4
        let moved = try shared.advance()
        #expect(try text(moved) == ["a tcp 2000:1 192.0.2.8"] && moved.gone.map { "\($0.host)" } == ["192.0.2.7"])
        shared.containers[1].state = .exited
        let ended = try shared.advance()
        #expect(ended.verdicts[0].reason == .network && ended.gone.map { "\($0.host)" } == ["192.0.2.8"])
        other.ports = [Container.Port(number: 1, transport: .tcp, published: 40_000, address: nil)]
        #expect(try text(World(", published_ports: true", sharing, other).plan()) == ["a tcp 2000:1 127.0.0.1:40000"])
        #expect(try text(World(", published_ports: true", host).plan()) == ["a tcp 2000:1 127.0.0.1"])

        var published = networks("x")
        #expect(try World(", published_ports: true", published).plan().verdicts[0].reason == .network)
        published.ports[0].published = 40_001
        #expect(try text(World(", published_ports: true", published).plan()) == ["a tcp 2000:1 127.0.0.1:40001"])
        published.ports[0].address = .loopbackIPv4
        var away = World(", published_ports: true", published)
        #expect(try text(away.plan()) == ["a tcp 2000:1 127.0.0.1:40001"])
        away.file = away.file.replacing("unix:///run/none.sock", with: "tcp://attic.example.net:2375")
        #expect(try remark(away.plan(), "c").contains("on the loopback address of its engine's host"))
        away.containers[0].ports.append(
            Container.Port(number: 1, transport: .tcp, published: 40_002, address: IPAddress("2001:db8::1")))
        #expect(try text(away.plan()) == ["a tcp 2000:1 2001:db8::1:40002"])
    }

    @Test("On the host's network no route dials a port of another one")
    func loops() throws {
        func host(_ name: String, _ port: String, scheme: String = "tcp") -> Container {
            var box = container(name, ["weir.\(name).port": port, "weir.\(name).scheme": scheme])
            (box.networkMode, box.networks) = ("host", [])
            return box
        }
        func errors(_ containers: Container..., docker: String = "", routes: String = "") throws -> [String] {
            var world = World(docker, routes: routes)
            world.containers = containers
            return try world.plan().verdicts.filter { $0.state == .error }.map(\.container)
        }
        #expect(try errors(host("a", "2000:2000")) == ["a"])
        #expect(try errors(host("a", "2000-2009:2009")) == ["a"])
        #expect(try errors(host("a", "2000:2001"), host("b", "2001:2000")) == ["b"])
        #expect(try errors(host("a", "2000:2001"), container("b", ["weir.b.port": "2001:2000"])) == ["b"])
        #expect(
            try errors(host("a", "2000:3000"), routes: "  f: { scheme: tcp, host: 192.0.2.99, port: 3000 }") == ["a"])
        #expect(try errors(host("a", "2000:2001"), host("b", "2002:2001")) == [])
        // The same number at another address.
        #expect(try errors(host("a", "2000:2000"), docker: ", bind: 192.0.2.50") == [])
        #expect(try errors(host("a", "2000:2000"), docker: ", bind: '::1'") == ["a"])
        // Datagrams that come from a route's own address open no session.
        #expect(try errors(host("a", "2000:2000", scheme: "udp")) == [])
        #expect(try errors(container("a", ["weir.a.port": "2000:2000"])) == [])
    }

    @Test("A route outlives its last container for the grace, and nothing is sent to what is gone")
    func grace() throws {
        var world = World(", grace: 10s", container("a", ["weir.a.port": "2000:1"]))
        #expect(try world.advance().gone.isEmpty)
        world.containers[0].state = .exited
        let gone = try world.advance()
        #expect(gone.gone.map(\.route) == ["a"] && gone.gone[0].ports == [1...1])
        #expect(try text(gone) == ["a tcp 2000:1 192.0.2.1 drains"] && states(gone) == ["a": .notRunning])
        #expect(gone.nextEnd == world.now + 10_000_000_000)
        world.now += 5_000_000_000
        let meanwhile = try world.advance()
        #expect(meanwhile.gone.isEmpty && meanwhile.routeCount == 1)
        // It comes back at another address.
        var back = world
        back.containers[0] = container("a", ["weir.a.port": "2000:1"], ip: "192.0.2.5")
        #expect(try text(back.advance()) == ["a tcp 2000:1 192.0.2.5"])
        world.now += 5_000_000_001
        #expect(try world.advance().root == nil)
    }

    @Test("Replicas that go leave at once, and one that changes its address is another upstream")
    func replicasGo() throws {
        let labels = ["weir.web.port": "8080:80"]
        var world = World(
            container("p-web-1", labels, ip: "192.0.2.1", service: "web"),
            container("p-web-2", labels, ip: "192.0.2.2", service: "web"))
        _ = try world.advance()
        world.containers[0].isStopping = true
        let stopping = try world.advance()
        #expect(try text(stopping) == ["web tcp 8080:80 192.0.2.1 drains,192.0.2.2"] && stopping.gone.isEmpty)
        world.containers[0].state = .exited
        let gone = try world.advance()
        #expect(try text(gone) == ["web tcp 8080:80 192.0.2.2"])
        #expect(gone.gone.map { "\($0.host)" } == ["192.0.2.1"])
        world.containers[1].networks[0] = Container.Network(
            name: "bridge", address: IPAddress("192.0.2.8") ?? .loopbackIPv4)
        let moved = try world.advance()
        #expect(try text(moved) == ["web tcp 8080:80 192.0.2.8"] && moved.gone.map { "\($0.host)" } == ["192.0.2.2"])
    }

    @Test(
        "Clients of a container that runs and only lost its route may finish; those of one that left its network may not"
    )
    func notGone() throws {
        var world = World(container("a", ["weir.a.port": "2000:1"]))
        _ = try world.advance()
        // The file takes the name, then the section goes.
        var taken = world
        taken.file += "routes:\n  a: { scheme: tcp, host: 192.0.2.99, port: 3000 }\n"
        let refused = try taken.plan()
        #expect(refused.gone.isEmpty)
        #expect(states(refused) == ["a": .error])
        let none = try Configuration.parse(
            bytes: Array("routes:\n  b: { scheme: tcp, host: 192.0.2.99, port: 3000 }\n".utf8), file: "weir.yml",
            environment: [:]
        ).configuration
        let removed = world.planner.plan([], none, now: world.now)
        #expect(removed.gone.isEmpty)
        #expect(removed.root == nil)
        world.containers[0].networks = []
        // By an event: it may be one that ends. The next list tells.
        var leaving = world
        leaving.containers[0].hasLeftNetworks = true
        let ending = try leaving.plan()
        #expect(ending.gone.count == 1 && ending.routeCount == 1 && states(ending) == ["a": .notRunning])
        let left = try world.advance()
        #expect(left.gone.count == 1)
        // The route waits for it.
        #expect(left.routeCount == 1)
        #expect(states(left) == ["a": .error])
    }

    @Test("Ports are bounded, for each container and for all together")
    func portCounts() throws {
        let wide = World(container("a", ["weir.a.port": "2000-2299:2000-2299"]))
        #expect(remark(try wide.plan(), "a").contains("at most 256 ports"))
        var many = World()
        many.containers = (0..<20).map { index in
            container(
                "c\(index)", ["weir.c\(index).port": "\(2000 + index * 300)-\(2255 + index * 300):7"],
                ip: "192.0.2.\(index + 1)")
        }
        let plan = try many.plan()
        #expect(plan.routeCount == 16)
        #expect(plan.verdicts.count { $0.state == .error && $0.reason == .port } == 4)
    }

    @Test("The engine's health is the member's: it gets no clients, and keeps those that it has")
    func health() throws {
        var world = World(container("a", ["weir.a.port": "2000:1"]))
        world.containers[0].health = .starting
        let starting = try world.advance()
        #expect(starting.root == nil && states(starting) == ["a": .unhealthy])
        world.containers[0].health = .healthy
        #expect(try text(world.advance()) == ["a tcp 2000:1 192.0.2.1"])
        world.containers[0].health = .unhealthy
        let sick = try world.advance()
        #expect(try text(sick) == ["a tcp 2000:1 192.0.2.1 drains"] && sick.gone.isEmpty)
        world.containers[0].health = .healthy
        world.containers[0].state = .paused
        let paused = try world.advance()
        #expect(try text(paused) == ["a tcp 2000:1 192.0.2.1 drains"] && states(paused) == ["a": .notRunning])
    }

    @Test("A refused container is left out by name, and no other")
    func refusals() throws {
        let world = World(
            container("a", ["weir.a.port": "2000:1"]), container("b", ["weir.b.port": "2001:1"], ip: "192.0.2.2"))
        let configuration = try Configuration.parse(
            bytes: Array(world.file.utf8), file: "weir.yml", environment: [:]
        ).configuration
        let docker = try #require(configuration.docker)
        let plan = world.planner.plan(
            [EngineSnapshot(docker.endpoints[0], containers: world.containers)], configuration,
            refusals: ["a": ContainerPlanner.Refusal(.conflict, "taken")], now: 0)
        #expect(try text(plan) == ["b tcp 2001:1 192.0.2.2"] && states(plan) == ["a": .error, "b": .routed])
        #expect(remark(plan, "a") == "taken")
    }

    @Test("Routes of labels listen where the file says, on no other address")
    func bind() throws {
        let plan = try World(", bind: 127.0.0.1", container("a", ["weir.a.port": "2000:1"])).plan()
        let root = try #require(plan.root)
        let route = try #require(try Configuration.load([ConfigurationFragment(root: root)]).configuration.routes.first)
        #expect(route.listenText == "tcp://127.0.0.1:2000")
        #expect(route.upstreamTexts == ["a:1"])
    }
}
