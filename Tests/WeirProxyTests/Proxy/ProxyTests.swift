import Glibc
import LinuxIO
import NetworkTypes
import TestSupport
import Testing
import WeirConfiguration
import WeirMetrics
import WeirStream

@testable import WeirProxy

/// A proxy over loopback, with its exporter, and everything closed at the end.
struct ProxyTests {
    private func configuration(_ routes: [RouteConfiguration], exporter: UInt16) -> Configuration {
        Configuration(
            exporter: .init(listen: [.address(.init(over: .tcp, address: .loopbackIPv4, port: exporter))]),
            log: .init(level: .error),
            workers: .fixed(2), shutdown: .init(delay: .zero, drainTimeout: .seconds(2)), routes: routes)
    }

    private func withProxy(
        _ routes: [RouteConfiguration], _ body: (Proxy, UInt16) async throws -> Void
    ) async throws {
        let exporter = try Ports.free()
        let proxy = try Proxy(configuration(routes, exporter: exporter))
        try await proxy.start()
        do {
            try await body(proxy, exporter)
        } catch {
            await proxy.shutdown()
            throw error
        }
        await proxy.shutdown()
    }

    private func samples(_ exporter: UInt16) throws -> Samples {
        try Samples.scrape(port: exporter, of: getpid())
    }

    private func echo(_ port: UInt16, _ text: String = "hello") throws {
        let client = try TestConnection(to: Endpoint(port))
        try client.send(text)
        #expect(client.receive(text.utf8.count).text == text)
        try client.shutdownWriting()
        #expect(client.receive().ending == .endOfStream)
    }

    @Test("What goes through a route is counted, exposed and reported")
    func traffic() async throws {
        let (server, port) = (try TCPServer.echo(), try Ports.free())
        try await withProxy([makeRoute("a", listen: port, upstream: server.port)]) { proxy, exporter in
            #expect(try HTTP.get("/readyz", port: exporter).status == 200)
            #expect(try HTTP.get("/healthz", port: exporter).status == 200)
            try echo(port)
            try waitUntil("the connection is closed") { try samples(exporter).closed("a") == 1 }
            let page = try samples(exporter)
            #expect(page.bytes("a", "ingress") == 5 && page.bytes("a", "egress") == 5)
            #expect(page.total("weir_route_info", ["route": "a"]) == 1)
            #expect(page.total("weir_build_info") == 1)
            #expect(page["weir_ready"] == 1)
            #expect(page["weir_config_last_reload_successful"] == 1)
            #expect(try #require(page["process_open_fds"]) > 5)
            #expect(page.total("weir_event_loop_turns_total", ["worker": "1"]) > 0)
            #expect(page.total("weir_exporter_requests_total", ["code": "200"]) > 2)
            #expect(await proxy.reports.map(\.accepted) == [1])
        }
    }

    @Test("Every upstream of a route has its own series, and a dial that fails goes to the next")
    func severalUpstreams() async throws {
        let (server, port, closed) = (try TCPServer.echo(), try Ports.free(), try Ports.free())
        var route = makeRoute("a", listen: port, upstream: server.port)
        route.upstreams.insert(UpstreamConfiguration(.address(.loopbackIPv4), port: closed), at: 0)
        route.selection.method = .first
        try await withProxy([route]) { _, exporter in
            try echo(port)
            try waitUntil("the connection is closed") { try samples(exporter).closed("a") == 1 }
            let page = try samples(exporter)
            let (first, second) = (["upstream": "127.0.0.1:\(closed)"], ["upstream": "127.0.0.1:\(server.port)"])
            #expect(
                page.total("weir_dial_failures_total", first.merging(["reason": "refused"]) { $1 }) == 1)
            #expect(page.total("weir_dials_total", first) == 1 && page.total("weir_dials_total", second) == 1)
            #expect(page.total("weir_dial_failures_total", second) == 0)
        }
    }

    @Test("Every metric on the page is of the catalogue, in its order")
    func pageIsCatalogue() async throws {
        let (tcp, udp) = (try Ports.free(), try Ports.free())
        try await withProxy([
            makeRoute("t", listen: tcp, upstream: 9), makeRoute("u", scheme: .udp4, listen: udp, upstream: 9),
        ]) { _, exporter in
            let names = try HTTP.get("/metrics", port: exporter).text.split(separator: "\n")
                .filter { $0.hasPrefix("# TYPE ") }.map { String($0.split(separator: " ")[2]) }
            #expect(names == MetricCatalogue.all.map(\.name).filter(names.contains))
            let absent = Set(MetricCatalogue.all.map(\.name)).subtracting(names)
            let ofSets =
                (MetricCatalogue.upstreamSets + MetricCatalogue.healthFamilies
                + MetricCatalogue.sharedListeners + MetricCatalogue.encryption + MetricCatalogue.agents
                + MetricCatalogue.tunnels).map(\.name)
            // There is no limit, hook, rule, name, agent, container engine or socket for commands, each upstream is one
            // address, and no peer sends PROXY headers.
            #expect(
                absent.subtracting(ofSets) == [
                    "weir_acl_decisions_total", "weir_acl_list_rules", "weir_proxy_protocol_headers_total",
                    "weir_proxy_protocol_errors_total", "weir_tcp_connections_limit", "weir_throttle_pauses_total",
                    "weir_pre_dial_duration_seconds", "weir_upstream_resolves_total",
                    "weir_upstream_last_resolve_success_timestamp_seconds", "weir_source_up",
                    "weir_source_last_sync_timestamp_seconds", "weir_docker_containers", "weir_docker_events_total",
                    "weir_docker_errors_total", "weir_admin_requests_total",
                ])
            #expect(absent.isSuperset(of: ofSets))
        }
    }

    @Test("A route with several upstreams has the families of sets from its start, until it goes")
    func setFamilies() async throws {
        var route = makeRoute("a", listen: try Ports.free(), upstream: 9)
        route.upstreams.append(UpstreamConfiguration(.address(.loopbackIPv4), port: 10))
        route.upstreams[1].maxConnections = 5
        try await withProxy([route]) { _, exporter in
            let page = try samples(exporter)
            for family in MetricCatalogue.upstreamSets {
                #expect(page.types[family.name] != nil, "\(family.name)")
            }
            #expect(page.total("weir_upstream_up", ["route": "a"]) == 2)
            #expect(page.total("weir_upstream_members", ["route": "a", "state": "up"]) == 2)
            #expect(page.total("weir_upstream_connections_limit", ["upstream": "127.0.0.1:10"]) == 5)
            #expect(page.total("weir_upstream_state_changes_total") == 0)
        }
    }

    @Test("A port that is taken is an error that names route and address, and nothing else stays bound")
    func takenPort() async throws {
        let (free, exporter) = (try Ports.free(), try Ports.free())
        let taken = try TCPServer { _ in }
        let proxy = try Proxy(
            configuration(
                [makeRoute("good", listen: free, upstream: 9), makeRoute("bad", listen: taken.port, upstream: 9)],
                exporter: exporter))
        do {
            try await proxy.start()
            Issue.record("started on a port that is taken")
        } catch {
            #expect(error.description.contains("`bad`") && error.description.contains("127.0.0.1:\(taken.port)"))
        }
        #expect(throws: (any Error).self) { try TestConnection(to: Endpoint(free)) }
        #expect(throws: (any Error).self) { try TestConnection(to: Endpoint(exporter)) }
        withExtendedLifetime(taken) {}
    }

    @Test("A reload adds, re-points and removes, and keeps what is open")
    func reload() async throws {
        let (one, two) = (try TCPServer.echo(), try TCPServer.echo())
        let (first, second) = (try Ports.free(), try Ports.free())
        try await withProxy([makeRoute("a", listen: first, upstream: one.port)]) { proxy, exporter in
            let open = try TestConnection(to: Endpoint(first))
            try open.send("before")
            #expect(open.receive(6).text == "before")

            var new = configuration(
                [
                    makeRoute("b", listen: first, upstream: two.port),
                    makeRoute("c", listen: second, upstream: two.port),
                ],
                exporter: exporter)
            #expect(try await proxy.apply(new).isEmpty)
            try echo(first)
            try echo(second)
            #expect(two.accepted == 2 && one.accepted == 1)
            try open.send("after")
            #expect(open.receive(5).text == "after")
            try open.shutdownWriting()
            #expect(open.receive().ending == .endOfStream)
            try waitUntil("the old connection is counted under its old name") { try samples(exporter).closed("a") == 1 }

            new.routes.removeLast()
            try await proxy.apply(new)
            #expect(throws: (any Error).self) { try TestConnection(to: Endpoint(second)) }
            let page = try samples(exporter)
            #expect(page.accepted("a") == 1 && page.accepted("b") == 1 && page.accepted("c") == 1)
            #expect(page.total("weir_config_reloads_total", ["result": "success"]) == 2)
            #expect(page.total("weir_route_info", ["route": "a"]) == 0)
            #expect(page.total("weir_route_info", ["route": "b"]) == 1)
        }
    }

    @Test("A reload that cannot have its new port changes nothing, and says so")
    func refusedReload() async throws {
        let server = try TCPServer.echo()
        let port = try Ports.free()
        let taken = try TCPServer { _ in }
        try await withProxy([makeRoute("a", listen: port, upstream: server.port)]) { proxy, exporter in
            let bad = configuration(
                [makeRoute("renamed", listen: port, upstream: 9), makeRoute("bad", listen: taken.port, upstream: 9)],
                exporter: exporter)
            await #expect(throws: ProxyError.self) { try await proxy.apply(bad) }
            try echo(port)
            let page = try samples(exporter)
            #expect(page.accepted("a") == 1)
            #expect(page.total("weir_config_reloads_total", ["result": "failure"]) == 1)
            #expect(page["weir_config_last_reload_successful"] == 0)
            #expect(await proxy.configuration.routes.map(\.name) == ["a"])
        }
        withExtendedLifetime(taken) {}
    }

    @Test("A reload with a loop ends no session that its rules would have denied, and serves none of its routes")
    func refusedLoop() async throws {
        let server = try UDPServer { [Array("\($0.source.port)".utf8)] }
        let (port, looping, fine) = (try Ports.free(), try Ports.free(), try Ports.free())
        let route = makeRoute("u", scheme: .udp4, listen: port, upstream: server.port)
        try await withProxy([route]) { proxy, exporter in
            let client = try UDPSocket()
            try client.send([1], to: Endpoint(port))
            let session = try client.receive().bytes
            var bad = configuration(
                [
                    route, makeRoute("fine", listen: fine, upstream: 9),
                    makeRoute("loop", listen: looping, upstream: looping),
                ], exporter: exporter)
            bad.access.deny = [AccessEntry("cidr:127.0.0.0/8")]
            await #expect(throws: ProxyError.self) { try await proxy.apply(bad) }
            try client.send([2], to: Endpoint(port))
            #expect(try client.receive().bytes == session)
            #expect(throws: (any Error).self) { try TestConnection(to: Endpoint(fine)) }
            let page = try samples(exporter)
            #expect(page.sessionsOpened("u") == 1 && page.sessionsActive("u") == 1)
        }
    }

    /// Resolves every name to this machine.
    private struct LoopbackResolver: NameResolver {
        func resolve(_ host: String) throws(AddressLookup.Failure) -> [SocketAddress] {
            [SocketAddress(.loopbackIPv4, port: 0)]
        }
    }

    @Test("No route goes to the exporter: not as it is written, and not by a name")
    func exporterAsUpstream() async throws {
        let (exporter, port, other) = (try Ports.free(), try Ports.free(), try Ports.free())
        let route = makeRoute("a", host: .name("inside.example"), listen: port, upstream: exporter)
        var options = Proxy.Options()
        options.resolver = LoopbackResolver()
        let proxy = try Proxy(configuration([route], exporter: exporter), options: options)
        try await proxy.start()
        let client = try TestConnection(to: Endpoint(port))
        try? client.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        let answer = client.receive()
        #expect(answer.ending == .reset && answer.bytes.isEmpty)
        try waitUntil("the dial is counted as a loop") {
            try samples(exporter).total("weir_dial_failures_total", ["route": "a", "reason": "loop"]) == 1
        }
        let literal = makeRoute("b", listen: other, upstream: exporter)
        await #expect(throws: ProxyError.self) {
            try await proxy.apply(configuration([route, literal], exporter: exporter))
        }
        #expect(throws: (any Error).self) { try TestConnection(to: Endpoint(other)) }
        await proxy.shutdown()
        let second = try Proxy(configuration([literal], exporter: exporter))
        await #expect(throws: ProxyError.self) { try await second.start() }
    }

    @Test("A gauge whose setting is gone goes, also while a connection lives on that began under it")
    func gaugesOfSettings() async throws {
        let (server, datagrams) = (try TCPServer.echo(), try UDPServer.echo())
        let (tcp, udp, exporter) = (try Ports.free(), try Ports.free(), try Ports.free())
        func routes(_ limit: Int?, _ host: UpstreamHost) -> [RouteConfiguration] {
            [
                makeRoute(
                    "t", host: host, listen: tcp, upstream: server.port,
                    settings: .tcp(TCPSettings(maxConnections: limit))),
                makeRoute(
                    "u", scheme: .udp4, host: host, listen: udp, upstream: datagrams.port,
                    settings: .udp(UDPSettings(maxSessions: 7))),
            ]
        }
        var first = configuration(routes(5, .name("here.example")), exporter: exporter)
        first.exporter.retiredSeriesTTL = .zero
        var options = Proxy.Options()
        options.resolver = LoopbackResolver()
        let proxy = try Proxy(first, options: options)
        try await proxy.start()
        try waitUntil("the name is resolved") {
            let page = try samples(exporter)
            return page.values.contains { series, value in
                series.name == "weir_upstream_last_resolve_success_timestamp_seconds" && value > 0
            }
        }
        let (client, player) = (try TestConnection(to: Endpoint(tcp)), try UDPSocket())
        try client.send("x")
        #expect(client.receive(1).text == "x")
        try player.send([1], to: Endpoint(udp))
        #expect(try player.receive().bytes == [1])
        #expect(try samples(exporter)["weir_tcp_connections_limit", ["route": "t"]] == 5)

        var second = configuration(routes(9, .address(.loopbackIPv4)), exporter: exporter)
        second.exporter.retiredSeriesTTL = .zero
        try await proxy.apply(second)
        try waitUntil("the gauges of the name are gone") {
            try samples(exporter).matching("weir_upstream_last_resolve_success_timestamp_seconds").isEmpty
        }
        #expect(try samples(exporter)["weir_tcp_connections_limit", ["route": "t"]] == 9)
        second.routes = routes(nil, .address(.loopbackIPv4))
        try await proxy.apply(second)
        try waitUntil("the limit is gone") { try samples(exporter).matching("weir_tcp_connections_limit").isEmpty }
        #expect(try samples(exporter)["weir_udp_sessions_limit", ["route": "u"]] == 7)
        // All the while both were open.
        let page = try samples(exporter)
        #expect(page.active("t") == 1 && page.sessionsActive("u") == 1)
        second.routes = [makeRoute("other", listen: try Ports.free(), upstream: 9)]
        try await proxy.apply(second)
        try waitUntil("the other limit is gone, too") {
            try samples(exporter).matching("weir_udp_sessions_limit").isEmpty
        }
        await proxy.shutdown()
        withExtendedLifetime((client, player)) {}
    }

    @Test("A listener that covers a removed one takes its place")
    func widening() async throws {
        let server = try TCPServer.echo()
        let port = try Ports.free()
        try await withProxy([makeRoute("a", listen: port, upstream: server.port)]) { proxy, exporter in
            let wide = configuration(
                [makeRoute("a", scheme: .tcp, bind: nil, listen: port, upstream: server.port)], exporter: exporter)
            try await proxy.apply(wide)
            try echo(port)
            #expect(try samples(exporter).accepted("a") == 1)
        }
    }

    @Test("What only a restart can change is named")
    func fixedSettings() async throws {
        try await withProxy([makeRoute("a", listen: try Ports.free(), upstream: 9)]) { proxy, exporter in
            var new = await proxy.configuration
            new.workers = .fixed(1)
            new.exporter.listen = [.address(.init(over: .tcp, address: .anyIPv4, port: 1))]
            new.limits.maxConnections = .fixed(9)
            let named = try await proxy.apply(new)
            #expect(named == ["workers", "exporter.listen", "limits.max_connections"])
            // They still differ from what is in use.
            #expect(try await proxy.apply(new) == named)
            #expect(try HTTP.get("/readyz", port: exporter).status == 200)
        }
    }

    @Test("A page that is made before all routes are bound says so")
    func notReady() async throws {
        let routes = [makeRoute("a", listen: try Ports.free(), upstream: 9)]
        let proxy = try Proxy(configuration(routes, exporter: try Ports.free()))
        let registry = await proxy.components.registry
        var buffer = ScrapeBuffer()
        registry.render(into: &buffer, format: .text004, filter: nil)
        let page = buffer.withBytes { bytes in String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self) }
        #expect(page.contains("\nweir_ready 0\n"))
    }

    @Test("Shutting down lets a transfer finish, refuses new clients, and reports so on the health pages")
    func drain() async throws {
        let (server, port) = (try TCPServer.echo(), try Ports.free())
        let exporter = try Ports.free()
        var settings = configuration([makeRoute("a", listen: port, upstream: server.port)], exporter: exporter)
        settings.shutdown.drainTimeout = .seconds(20)
        let proxy = try Proxy(settings)
        try await proxy.start()
        let client = try TestConnection(to: Endpoint(port))
        try client.send("x")
        #expect(client.receive(1).text == "x")
        let ending = Task { await proxy.shutdown() }
        try waitUntil("it says that it drains") { try HTTP.get("/readyz", port: exporter).status == 503 }
        #expect(try samples(exporter)["weir_ready"] == 0)
        try waitUntil("new clients are refused") { (try? TestConnection(to: Endpoint(port))) == nil }
        try client.send("y")
        #expect(client.receive(1).text == "y")
        try client.shutdownWriting()
        #expect(client.receive().ending == .endOfStream)
        await ending.value
        #expect(throws: (any Error).self) { try TestConnection(to: Endpoint(exporter)) }
    }

    @Test("Datagrams go through a UDP route, both ways, and are counted")
    func datagrams() async throws {
        let (server, port) = (try UDPServer.echo(), try Ports.free())
        try await withProxy([makeRoute("u", scheme: .udp4, listen: port, upstream: server.port)]) { _, exporter in
            let client = try UDPSocket()
            try client.send([1, 2, 3], to: Endpoint(port))
            #expect(try client.receive().bytes == [1, 2, 3])
            try waitUntil("the reply is counted") { try samples(exporter).bytes("u", "egress") == 3 }
            let page = try samples(exporter)
            #expect(page.bytes("u", "ingress") == 3)
            #expect(page.total("weir_udp_sessions_active", ["route": "u"]) == 1)
            #expect(page.total("weir_udp_datagrams_total", ["direction": "ingress"]) == 1)
        }
    }
}
