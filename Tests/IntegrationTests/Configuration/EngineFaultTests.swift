#if Docker
import Foundation
import TestSupport
import Testing

/// Tests of the real program beside a container engine whose answers they make.
protocol FollowsEngine {}

extension FollowsEngine {
    func weir(_ engine: FakeEngine, _ more: String = "", routes: String = "") throws -> WeirProcess {
        try WeirProcess(
            routes: routes,
            rest: "docker: { endpoint: \"\(engine.endpoint)\", label_prefix: weir, bind: 127.0.0.1\(more) }")
    }

    func box(
        _ name: String, _ route: String, _ port: UInt16, to server: UInt16, id: String? = nil,
        _ more: [String: String] = [:]
    ) -> FakeEngine.Box {
        FakeEngine.Box(name, id: id, more.merging(["weir.\(route).port": "\(port):\(server)"]) { $1 })
    }

    func echo(_ port: UInt16, _ text: String = "hello") throws {
        let client = try TestConnection(to: Endpoint(port))
        try client.send(Array(text.utf8))
        #expect(client.receive(text.utf8.count).bytes == Array(text.utf8))
        client.close()
    }

    func isOpen(_ port: UInt16) -> Bool {
        guard let client = try? TestConnection(to: Endpoint(port)) else { return false }
        client.close()
        return true
    }
}

extension Integration {
    /// Engines that answer late, wrongly or not at all.
    @Suite("Container engines and their faults") struct EngineFaultTests: FollowsEngine {
        @Test("A container that has ended stays out, also where the next list is older, until it starts again")
        func staleList() throws {
            let (server, port) = (try TCPServer.echo(), try Ports.free())
            let engine = try FakeEngine([box("a", "a", port, to: server.port, id: "aa")])
            let weir = try weir(engine)
            try weir.waitForLog("a container is routed", "container=a")
            let before = engine.lists
            // Lists go on saying that it runs.
            engine.tell("die", of: "aa")
            try waitUntil("the engine was asked again") { engine.lists > before }
            try weir.scrape(until: "it is out") {
                $0.total("weir_docker_containers", ["state": "not_running"]) == 1
            }
            #expect(weir.logLines.count { $0.contains("a container is routed") } == 1)
            engine.tell("start", of: "aa")
            try weir.scrape(until: "it is back") { $0.total("weir_docker_containers", ["state": "routed"]) == 1 }
            try echo(port)
            #expect(try weir.stop() == .code(0))
        }

        @Test("An engine that takes its time holds up no client, and is followed")
        func slow() throws {
            let server = try TCPServer.echo()
            let (first, second) = (try Ports.free(), try Ports.free())
            let engine = try FakeEngine([box("a", "a", first, to: server.port, id: "aa")])
            let weir = try weir(engine)
            engine.behave { $0.delay = .seconds(2) }
            engine.begin(box("b", "b", second, to: server.port, id: "bb"))
            // An event alone is enough while lists take long.
            engine.end("aa")
            try waitUntil("the new one is there", deadline: .seconds(30)) { isOpen(second) }
            try echo(second)
            try weir.waitForLog("is routed", "container=b")
            func line(_ words: String...) throws -> Int {
                try #require(weir.logLines.firstIndex { line in words.allSatisfy(line.contains) })
            }
            #expect(try line("container=a", "it does not run: exited") < line("is routed", "container=b"))
            #expect(try weir.scrape().total("weir_source_up", ["source": "docker"]) == 1)
            #expect(try weir.stop() == .code(0))
        }

        @Test("While the engine is away everything stays, and what was missed is noticed when it is back")
        func away() throws {
            let server = try TCPServer.echo()
            let (first, second) = (try Ports.free(), try Ports.free())
            let engine = try FakeEngine([box("a", "a", first, to: server.port, id: "aa")])
            let weir = try weir(engine, ", grace: 100ms")
            try weir.waitForLog("a container is routed")
            engine.stop()
            try weir.scrape(until: "it is away") { $0.total("weir_source_up", ["source": "docker"]) == 0 }
            try weir.waitForLog("a container engine is away, its routes stay", "reason=connect")
            try echo(first)
            engine.change { $0 = [box("b", "b", second, to: server.port, id: "bb")] }
            try engine.start()
            try waitUntil("the new one is there", deadline: .seconds(20)) { isOpen(second) }
            try waitUntil("the old one is not") { !isOpen(first) }
            #expect(try weir.stop() == .code(0))
        }

        @Test("An engine that answers wrongly changes nothing, and is told")
        func wrongAnswers() throws {
            let server = try TCPServer.echo()
            let port = try Ports.free()
            let engine = try FakeEngine([box("a", "a", port, to: server.port, id: "aa")])
            let weir = try weir(engine)
            try weir.waitForLog("a container is routed")
            let changes: [(@Sendable (inout FakeEngine.Manners) -> Void, String, String)] = [
                ({ $0.status = 500 }, "connect", "is answered with 500: `not today`"),
                ({ $0.cutAfter = 20 }, "connect", "error="), ({ $0.list = "[{" }, "parse", "no JSON"),
                ({ $0.list = "{}" }, "parse", "expected a list"),
                ({ $0.list = String(repeating: " ", count: 33 << 20) }, "parse", "more than 32 MiB"),
                ({ ($0.version, $0.oldest) = ("1.12", "1.10") }, "version", "speaks the versions 1.10 to 1.12"),
            ]
            for (change, reason, words) in changes {
                engine.behave { manners in
                    manners = FakeEngine.Manners()
                    change(&manners)
                }
                engine.stop()
                try engine.start()
                try weir.waitForLog("container engine", "reason=\(reason)", words, deadline: .seconds(20))
                try echo(port)
            }
            engine.behave { $0 = FakeEngine.Manners() }
            try weir.scrape(until: "it is followed again", deadline: .seconds(20)) {
                $0.total("weir_source_up", ["source": "docker"]) == 1
            }
            for line in ["nonsense", "{\"Type\":\"container\"}", "[", String(repeating: "x", count: 2 << 20)] {
                engine.tell(line: line)
            }
            try weir.scrape(until: "wrong events are counted") {
                $0.total("weir_docker_errors_total", ["source": "docker", "reason": "parse"]) >= 4
            }
            try echo(port)
            #expect(try weir.stop() == .code(0))
        }
    }
}
#endif
