#if Docker
import Foundation
import TestSupport
import Testing

extension Integration {
    /// The real program and an engine whose answers the tests make.
    @Suite("Routes from containers") struct ContainerRouteTests: FollowsEngine {
        @Test("A labeled container becomes a route, moves, and goes after the grace; others are not touched")
        func life() throws {
            let (first, second) = (try TCPServer.echo(), try TCPServer.echo())
            let (port, other) = (try Ports.free(), try Ports.free())
            let engine = try FakeEngine([box("stays", "stays", other, to: first.port, id: "aa")])
            let weir = try weir(engine, ", grace: 300ms")
            try weir.waitForLog("a container is routed", "container=stays")
            let kept = try TestConnection(to: Endpoint(other))
            try kept.send(Array("a".utf8))
            #expect(kept.receive(1).bytes == Array("a".utf8))

            engine.begin(box("web", "web", port, to: first.port, id: "bb"))
            try waitUntil("the port is open") { isOpen(port) }
            try echo(port)
            try weir.scrape(until: "both are routed") {
                $0.total("weir_docker_containers", ["source": "docker", "state": "routed"]) == 2
                    && $0.total("weir_source_up", ["source": "docker"]) == 1
            }
            // Another container of that name at another port: the same route, another upstream.
            engine.end("bb")
            engine.begin(box("web", "web", port, to: second.port, id: "cc"))
            try waitUntil("the second has it") {
                try? TestConnection.exchange(port)
                return second.accepted > 0
            }
            engine.end("cc")
            try waitUntil("the port is closed after the grace") { !isOpen(port) }
            try kept.send(Array("b".utf8))
            #expect(kept.receive(1).bytes == Array("b".utf8))
            let page = try weir.scrape()
            #expect(page.total("weir_docker_errors_total") == 0 && page.total("weir_config_reloads_total") == 0)
            #expect(page.total("weir_docker_events_total") == 4)
            #expect(try weir.stop() == .code(0))
        }

        @Test("Connections and sessions of a container that is gone end at once, and nothing goes to its address")
        func gone() throws {
            let (server, datagrams) = (try TCPServer.echo(), try UDPSocket())
            let (tcp, udp) = (try Ports.free(), try Ports.free())
            let engine = try FakeEngine([
                box("a", "a", tcp, to: server.port, id: "aa"),
                box("u", "u", udp, to: try datagrams.localEndpoint.port, id: "bb", ["weir.u.scheme": "udp"]),
            ])
            let weir = try weir(engine, ", grace: 60s")
            try weir.waitForLog("a container is routed", "container=u")
            let client = try TestConnection(to: Endpoint(tcp))
            try client.send(Array("a".utf8))
            #expect(client.receive(1).bytes == Array("a".utf8))
            let sender = try UDPSocket()
            try sender.send(Array("one".utf8), to: Endpoint(udp))
            #expect(try datagrams.receive().bytes == Array("one".utf8))

            engine.end("aa")
            engine.end("bb")
            #expect(client.receive().ending == .reset)
            try weir.scrape(until: "both have ended") {
                $0.closed("a", "upstream_down") == 1
                    && $0.total("weir_udp_sessions_closed_total", ["route": "u", "reason": "route_removed"]) == 1
            }
            // The listeners stay for the grace, and turn clients away.
            let late = try TestConnection(to: Endpoint(tcp))
            #expect(late.receive().bytes.isEmpty)
            try sender.send(Array("two".utf8), to: Endpoint(udp))
            try weir.scrape(until: "both are rejected") {
                $0.total("weir_tcp_connections_rejected_total", ["route": "a", "reason": "no_upstream"]) == 1
                    && $0.total("weir_udp_sessions_rejected_total", ["route": "u", "reason": "no_upstream"]) == 1
            }
            #expect(server.accepted == 1 && !datagrams.isReadable())
            #expect(try weir.stop() == .code(0))
        }

        @Test(
            "Weir is ready with the routes of containers, and without those of an engine that does not answer in time")
        func readiness() throws {
            let server = try TCPServer.echo()
            let (port, fixed) = (try Ports.free(), try Ports.free())
            let slow = try FakeEngine([box("a", "a", port, to: server.port, id: "aa")])
            slow.behave { $0.delay = .milliseconds(500) }
            // It has waited for `/readyz`.
            let weir = try weir(slow)
            #expect(isOpen(port))
            try weir.waitForLog(" ready ", "routes=1 ")
            #expect(try weir.stop() == .code(0))

            let silent = try FakeEngine()
            silent.behave { $0.delay = .seconds(3_600) }
            defer { silent.behave { $0.delay = .zero } }
            let manager = try ServiceManagerSocket("@weir-containers-\(getpid())")
            let late = try WeirProcess(
                routes: .route("fixed", fixed, to: server.port),
                rest: "docker: { endpoint: { fast: \"\(slow.endpoint)\", mute: \"\(silent.endpoint)\" }, "
                    + "label_prefix: weir, bind: 127.0.0.1 }", environment: ["NOTIFY_SOCKET": manager.name])
            try late.waitForLog(" WARNING ", "ready without all routes of containers", "`mute`")
            #expect(!late.logLines.contains { $0.contains("`fast`") })
            #expect(isOpen(port) && isOpen(fixed))
            let ready = try manager.message(with: "READY=1")
            #expect(ready.contains { $0.hasPrefix("STATUS=2 routes, ") })
            #expect(try late.stop() == .code(0))
        }

        @Test("Podman's shorter lists: an inspection tells of health and networks, again after each event")
        func podman() throws {
            let server = try TCPServer.echo()
            let (web, host, lone) = (try Ports.free(), try Ports.free(), try Ports.free())
            var boxes = [
                box("web", "web", web, to: server.port, id: "aa"), box("host", "host", host, to: server.port, id: "bb"),
                box("lone", "lone", lone, to: server.port, id: "cc"), FakeEngine.Box("plain", id: "dd"),
            ]
            boxes[0].health = "starting"
            (boxes[1].networkMode, boxes[1].networks) = ("host", [:])
            let engine = try FakeEngine(boxes)
            engine.behave { $0.isPodman = true }
            let weir = try weir(engine, ", grace: 60s")
            #expect(isOpen(host) && !isOpen(web) && isOpen(lone))
            try echo(host)
            #expect(engine.inspections == 3)
            engine.change { $0[0].health = "healthy" }
            engine.tell("health_status", of: "aa")
            try waitUntil("it is healthy") { isOpen(web) }
            try echo(web)
            #expect(engine.inspections == 4)
            // Its only network: nothing goes to the address any more, before the next list.
            engine.change { $0[2].networks = [:] }
            engine.tell(
                line: #"{"Type":"network","Action":"disconnect","Actor":{"ID":"cc","Attributes":{"name":"lone"}}}"#)
            try weir.waitForLog("container=lone", "it has left its last network")
            try weir.waitForLog("container=lone", "it has no address")
            let accepted = server.accepted
            try? TestConnection.exchange(lone)
            #expect(server.accepted == accepted)
            // It is told to stop, in the list alone.
            engine.change { $0[0].state = "stopping" }
            engine.tell("rename", of: "aa")
            try weir.waitForLog("container=web", "it was told to stop")
            engine.end("aa")
            engine.tell("cleanup", of: "aa")
            try weir.waitForLog("container=web", "it does not run: exited")
            #expect(try weir.scrape().total("weir_docker_errors_total") == 1)
            #expect(try weir.stop() == .code(0))
        }

        @Test("Wrong containers are left out by name, and harm no other")
        func hostile() throws {
            let server = try TCPServer.echo()
            let holder = try TCPServer.echo()
            let (good, taken) = (try Ports.free(), try Ports.free())
            let boxes = [
                FakeEngine.Box("low", ["weir.low.port": "80:\(server.port)"]),
                FakeEngine.Box("hook", ["weir.h.port": "\(try Ports.free()):1", "weir.h.pre_dial": "x"]),
                FakeEngine.Box("huge", ["weir.x": String(repeating: "a", count: 1 << 20)]),
                FakeEngine.Box("odd\u{1B}", ["weir.\u{7}.port": "1:1\u{1B}[2J"]),
                FakeEngine.Box("number", ["weir.n.port": "133342"]),
                FakeEngine.Box("value", ["weir.v.port": "\(try Ports.free()):1", "weir.v.idle_timeout": "soon"]),
                box("held", "held", holder.port, to: server.port), box("file", "fixed", good, to: 1),
                box("second", "good", good, to: server.port), box("same", "other", good, to: server.port),
            ]
            var first = box("first", "good", good, to: server.port, id: "aa")
            first.created = 0
            let engine = try FakeEngine(boxes + [first])
            let weir = try weir(engine, routes: .route("fixed", taken, to: server.port))
            try weir.scrape(until: "all are judged") {
                $0.total("weir_docker_containers", ["state": "error"]) == 10
                    && $0.total("weir_docker_containers", ["state": "routed"]) == 1
            }
            try echo(good)
            try echo(taken)
            for name in ["low", "hook", "huge", "number", "value", "held", "file", "second", "same"] {
                try weir.waitForLog("a container is left out", "container=\(name)")
            }
            try weir.waitForLog("container=number", "`2222:22`")
            let log = weir.logLines.joined()
            #expect(!log.unicodeScalars.contains { $0.value == 0x1B || $0.value == 7 })
            #expect(try weir.scrape().total("weir_docker_errors_total", ["reason": "port"]) == 2)
            // A reload keeps all that, and the file's own route.
            weir.process.send(signal: SIGHUP)
            try weir.waitForLog("configuration reloaded")
            try echo(good)
            #expect(try weir.stop() == .code(0))
        }

        @Test("Labels of an HTTP proxy open no port, are no error, and cost no inspection of each other container")
        func beside() throws {
            let boxes = (0..<20).map {
                FakeEngine.Box(
                    "web\($0)",
                    [
                        "proxy.aliases": "app\($0), www\($0)", "proxy.app\($0).port": "8080",
                        "proxy.#2.scheme": "https", "proxy.*.middlewares.redirect.use": "x",
                        "proxy.idle_timeout": "1h", "proxy.app\($0).homepage": "name: x\nicon: y",
                    ])
            }
            let engine = try FakeEngine(boxes)
            let weir = try WeirProcess(routes: "", rest: "docker: { endpoint: \"\(engine.endpoint)\" }")
            try weir.scrape(until: "all are judged") {
                $0.total("weir_docker_containers", ["state": "not_stream"]) == 20
            }
            let page = try weir.scrape()
            #expect(page.total("weir_docker_errors_total") == 0 && page.total("weir_route_info") == 0)
            #expect(!weir.logLines.contains { $0.contains(" WARNING ") || $0.contains(" ERROR ") })
            #expect(try weir.stop() == .code(0))
        }

        @Test("A port that another program holds is tried again until it is free")
        func heldPort() throws {
            let server = try TCPServer.echo()
            let holder = try TCPServer.echo()
            let port = holder.port
            let engine = try FakeEngine([box("a", "a", port, to: server.port, id: "aa")])
            let weir = try weir(engine)
            try weir.waitForLog("a container is left out", "reason=conflict")
            holder.stop()
            try weir.waitForLog("a container is routed", deadline: .seconds(25))
            try echo(port)
            #expect(try weir.scrape().total("weir_config_reloads_total") == 0)
            #expect(try weir.stop() == .code(0))
        }

        @Test("Replicas come and go under load without a failed connection")
        func replicas() throws {
            let servers = try (0..<3).map { _ in try TCPServer.echo() }
            let port = try Ports.free()
            func replica(_ index: Int) -> FakeEngine.Box {
                // One address and several ports: published ones.
                var box = FakeEngine.Box(
                    "p-web-\(index)", id: "a\(index)",
                    [
                        "weir.web.port": "\(port):7", "com.docker.compose.project": "p",
                        "com.docker.compose.service": "web",
                    ])
                box.ports = [("7/tcp", servers[index].port)]
                return box
            }
            let engine = try FakeEngine([replica(0)])
            let weir = try weir(engine, ", published_ports: true")
            try weir.waitForLog("a container is routed")
            let load = Repeater { _ in try TestConnection.exchange(port) }
            for _ in 0..<5 {
                engine.begin(replica(1))
                engine.begin(replica(2))
                let before = (servers[1].accepted, servers[2].accepted)
                try waitUntil("all get clients") {
                    servers[1].accepted > before.0 && servers[2].accepted > before.1
                }
                for id in ["a1", "a2"] {
                    engine.tell("kill", of: id, ["signal": "15"])
                    let label = ["upstream": "p-web-\(id.suffix(1)):7"]
                    try weir.scrape(until: "it has no client any more") {
                        $0.total("weir_upstream_members", label.merging(["state": "draining"]) { $1 }) == 1
                            && $0.total("weir_upstream_connections_active", label) == 0
                    }
                    engine.end(id)
                }
            }
            load.stop()
            #expect(load.failures == [] && load.rounds > 50)
            let page = try weir.scrapeWhenIdle("web")
            #expect(page.total("weir_tcp_connections_rejected_total", ["route": "web"]) == 0)
            #expect(page.closed("web", "dial_failed") == 0 && page.closed("web", "upstream_down") == 0)
            #expect(try weir.stop() == .code(0))
        }

        @Test("`weir check --docker` says for each container why it is, or is not, a part of a route")
        func check() throws {
            let engine = try FakeEngine([
                box("a", "a", 2000, to: 1, id: "aa"), FakeEngine.Box("plain"),
                FakeEngine.Box("bad", ["weir.b.prot": "2001:1"]),
            ])
            let folder = try TemporaryDirectory("check")
            let path = try folder.write(
                "weir.yml", "docker: { endpoint: \"\(engine.endpoint)\", label_prefix: weir }\n")
            let good = try ChildProcess.run(try Tool.weir(), ["check", path])
            #expect(good.exit == .code(0), "\(good.errorOutput)")
            let asked = try ChildProcess.run(try Tool.weir(), ["check", "--docker", path])
            #expect(asked.exit == .code(1))
            #expect(asked.output.contains("a: routed (a)\n"))
            #expect(asked.output.contains("plain: not_stream: it has no label that begins with `weir.`\n"))
            #expect(
                asked.output.contains(
                    "bad: error (b): container `bad`, label `weir.b.prot`: error: unknown field `prot`"))
            engine.stop()
            let away = try ChildProcess.run(try Tool.weir(), ["check", "--docker", path])
            #expect(away.exit == .code(1) && away.errorOutput.contains("engine `docker` (unix://"))
        }
    }
}
#endif
